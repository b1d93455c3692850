/* cinescrub.pixels._jpeg: the Python face of _jpeg_scan.c, in the stable ABI. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>

#include "_jpeg_scan.h"

static const char *const MESSAGES[] = {
    [JPEG_ENTROPY] = "a JPEG frame is corrupt or truncated: its coded data can't be read",
    [JPEG_INTERVALS] =
        "a JPEG frame is corrupt or truncated: its restart intervals are not as declared",
    [JPEG_ORDER] = "a JPEG frame is corrupt: restart markers are out of order",
    [JPEG_RANGE] = "a JPEG frame is corrupt: its levels are beyond those of 8-bit samples",
    [JPEG_ARGUMENT] = "a JPEG scan is described wrongly",
};

static int read_component(PyObject *given, jpeg_component *component) {
    const char *dc_counts, *dc_symbols, *ac_counts, *ac_symbols;
    Py_ssize_t sizes[4];
    long long level;
    int blocks;
    if (!PyArg_ParseTuple(given, "y#y#y#y#iL", &dc_counts, &sizes[0], &dc_symbols, &sizes[1],
                          &ac_counts, &sizes[2], &ac_symbols, &sizes[3], &blocks, &level)) {
        return 0;
    }
    if (sizes[0] != 16 || sizes[2] != 16) {
        PyErr_SetString(PyExc_ValueError, MESSAGES[JPEG_ARGUMENT]);
        return 0;
    }
    component->dc.counts = (const uint8_t *)dc_counts;
    component->dc.symbols = (const uint8_t *)dc_symbols;
    component->dc.size = (size_t)sizes[1];
    component->ac.counts = (const uint8_t *)ac_counts;
    component->ac.symbols = (const uint8_t *)ac_symbols;
    component->ac.size = (size_t)sizes[3];
    component->blocks = blocks;
    component->level = level;
    return 1;
}

static int read_components(PyObject *given, jpeg_scan *scan) {
    Py_ssize_t count = PyTuple_Size(given);
    if (count < 1 || count > JPEG_MAX_COMPONENTS) {
        PyErr_SetString(PyExc_ValueError, MESSAGES[JPEG_ARGUMENT]);
        return 0;
    }
    scan->count = (int)count;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PyTuple_GetItem(given, i); /* borrowed */
        if (!PyTuple_Check(item)) {
            PyErr_SetString(PyExc_TypeError, "a component is a tuple");
            return 0;
        }
        if (!read_component(item, &scan->component[i])) {
            return 0;
        }
    }
    return 1;
}

static PyObject *answer(jpeg_status status, jpeg_result *result, int count) {
    if (status == JPEG_MEMORY) {
        return PyErr_NoMemory();
    }
    if (status != JPEG_OK && status != JPEG_MISSING) {
        PyErr_SetString(PyExc_ValueError, MESSAGES[status]);
        return NULL;
    }
    PyObject *needs = PyTuple_New(count);
    for (int i = 0; needs && i < count; i++) {
        PyObject *mask = PyLong_FromUnsignedLong(result->needs[i]);
        if (!mask || PyTuple_SetItem(needs, i, mask) < 0) { /* takes the reference */
            Py_CLEAR(needs);
        }
    }
    if (!needs) {
        return NULL;
    }
    if (status == JPEG_MISSING) {
        return Py_BuildValue("(ON)", Py_None, needs);
    }
    return Py_BuildValue("(y#N)", result->data, (Py_ssize_t)result->size, needs);
}

static PyObject *rewrite(PyObject *self, PyObject *args) {
    (void)self;
    Py_buffer data, covered;
    Py_ssize_t restart;
    int mean;
    PyObject *components;
    if (!PyArg_ParseTuple(args, "y*y*npO!", &data, &covered, &restart, &mean, &PyTuple_Type,
                          &components)) {
        return NULL;
    }
    jpeg_scan scan = {
        .data = data.buf,
        .size = (size_t)data.len,
        .covered = covered.buf,
        .units = (size_t)covered.len,
        .restart = restart > 0 ? (size_t)restart : 0,
        .mean = mean,
    };
    PyObject *answered = NULL;
    if (read_components(components, &scan)) {
        jpeg_result result;
        jpeg_status status;
        Py_BEGIN_ALLOW_THREADS
        status = jpeg_rewrite(&scan, &result);
        Py_END_ALLOW_THREADS
        answered = answer(status, &result, scan.count);
        free(result.data);
    }
    PyBuffer_Release(&data);
    PyBuffer_Release(&covered);
    return answered;
}

static PyMethodDef methods[] = {
    {"rewrite", rewrite, METH_VARARGS,
     "rewrite(data, covered, restart, mean, components, /)\n--\n\nSee jpeg_walk.rewrite."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "cinescrub.pixels._jpeg",
    .m_doc = "Rewrite JPEG scans: the compiled twin of cinescrub.pixels.jpeg_walk.",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__jpeg(void) { return PyModuleDef_Init(&module); }
