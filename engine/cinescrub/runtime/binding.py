"""How arrays get to a session's device and its scores back: bound, not passed.

ONNX Runtime's `run` and a binding do the same on a CPU. The binding is what a device needs, so that
both take one path: only the scores that the contract names are computed and come down.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from cinescrub.errors import InferenceError

__all__ = ["Borrowing", "Replaying", "Runs"]

_Inputs: TypeAlias = Mapping[str, npt.NDArray[Any]]
_Scores: TypeAlias = npt.NDArray[np.float32]
_Shapes: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]

_GRAPH: Final = "gpu_graph_id"
"""Run option: by which number a graph is captured and replayed; see `onnxruntime`'s
`onnxruntime_run_options_config_keys.h`. 0 is the runtime's own."""
_NO_GRAPH: Final = -1
_RUNS_TO_CAPTURE: Final = 3
"""The CUDA provider runs twice as usual, then captures."""
_SAME: Final = 1e-3
"""What a replay may differ by from a plain run: both run the same kernels."""
_ONE_CALLER: Final = Lock()
"""While a graph is captured, most calls of CUDA in any other thread of the process fail (its
`cudaStreamCaptureModeGlobal`), whichever session they are for."""


class Runs(Protocol):
    """One way to run a session."""

    def __call__(self, inputs: _Inputs) -> _Scores:
        """Return the scores, owned by the caller; the inputs are borrowed."""


class Borrowing:
    """Bind the caller's arrays as they lie: the runtime reads them there, or copies them up itself.

    May be called from several threads at once.

    Parameters
    ----------
    native : onnxruntime.InferenceSession
        What runs.
    output : str
        Which output is wanted.
    """

    def __init__(self, native: Any, output: str) -> None:
        self._native = native
        self._output = output

    def __call__(self, inputs: _Inputs) -> _Scores:
        """Return the scores."""
        binding = self._native.io_binding()  # one a call: a binding holds one caller's arrays
        for name, value in inputs.items():
            binding.bind_cpu_input(name, value)
        binding.bind_output(self._output)
        self._native.run_with_iobinding(binding)
        scores: _Scores = binding.get_outputs()[0].numpy()
        return scores


class Replaying:
    """Capture a CUDA graph of each shape that is seen again, and replay it.

    A graph reads and writes fixed addresses. So each shape has buffers of its own on the device,
    which stay as long as the session does; how many shapes is bounded, and all others run plainly.
    A graph is trusted once it was captured on noise and then gave what a plain run says of the
    caller's arrays: some kernels copy from the host while they run, and a replay would not.

    One caller at a time, over all instances of the process.

    Parameters
    ----------
    native : onnxruntime.InferenceSession
        What runs, with graphs enabled unless `most` is 0.
    output : str
        Which output is wanted.
    ort : module
        ONNX Runtime.
    place : (str, int)
        Where the buffers lie, in the runtime's words: `("cuda", 0)`.
    most : int
        How many shapes get a graph.
    """

    def __init__(
        self, native: Any, output: str, *, ort: Any, place: tuple[str, int], most: int
    ) -> None:
        self._native = native
        self._output = output
        self._ort = ort
        self._place = place
        self._most = most
        self._seen: set[_Shapes] = set()
        self._captures = 0
        self._graphs: dict[_Shapes, _Graph] = {}

    def __call__(self, inputs: _Inputs) -> _Scores:
        """Return the scores.

        Raises
        ------
        InferenceError
            A replay says something else than a plain run.
        """
        with _ONE_CALLER:
            shapes = tuple((name, value.shape) for name, value in inputs.items())
            if graph := self._graphs.get(shapes):
                return graph.run(inputs)
            if shapes in self._seen and self._captures < self._most:
                self._graphs[shapes], scores = self._captured(inputs)
                return scores
            self._seen.add(shapes)
            scores, _ = self._plain(inputs)
            return scores

    def _plain(self, inputs: _Inputs) -> tuple[_Scores, Any]:
        """Return the scores, and them as they lie on the device."""
        binding = self._native.io_binding()
        for name, value in inputs.items():
            binding.bind_cpu_input(name, value)
        binding.bind_output(self._output, *self._place)
        self._native.run_with_iobinding(binding, _options(self._ort, _NO_GRAPH))
        there = binding.get_outputs()[0]
        return np.array(there.numpy()), there

    def _captured(self, inputs: _Inputs) -> tuple[_Graph, _Scores]:
        wanted, target = self._plain(inputs)
        buffers = {
            name: self._ort.OrtValue.ortvalue_from_shape_and_type(
                value.shape, value.dtype.type, *self._place
            )
            for name, value in inputs.items()
        }
        binding = self._native.io_binding()
        for name, buffer in buffers.items():
            binding.bind_ortvalue_input(name, buffer)
        binding.bind_ortvalue_output(self._output, target)
        self._captures += 1  # a number stands for one graph, be it refused below
        options = _options(self._ort, self._captures)
        graph = _Graph(self._native, binding, options, buffers, target)
        noise = {name: _noise(value) for name, value in inputs.items()}
        for _ in range(_RUNS_TO_CAPTURE):
            graph.run(noise)
        said = graph.run(inputs)
        if not np.allclose(said, wanted, rtol=_SAME, atol=_SAME, equal_nan=True):
            raise InferenceError("a CUDA graph does not follow its inputs: leave out --cuda-graphs")
        return graph, said


class _Graph:
    """Buffers of one shape, bound for good."""

    def __init__(
        self, native: Any, binding: Any, options: Any, buffers: dict[str, Any], target: Any
    ) -> None:
        self._native = native
        self._binding = binding
        self._options = options
        self._buffers = buffers
        self._target = target

    def run(self, inputs: _Inputs) -> _Scores:
        for name, value in inputs.items():
            self._buffers[name].update_inplace(value)  # returns when it is there
        self._native.run_with_iobinding(self._binding, self._options)
        return np.array(self._target.numpy())


def _noise(like: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return what no model answers as it answers a frame or a line, be that blank."""
    levels = 256 if like.dtype == np.uint8 else 2  # of numbers of tokens the lowest are valid
    return np.random.default_rng(0).integers(0, levels, like.shape).astype(like.dtype)


def _options(ort: Any, graph: int) -> Any:
    options = ort.RunOptions()
    options.add_run_config_entry(_GRAPH, str(graph))
    return options
