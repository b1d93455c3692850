"""`python -m cinescrub` is the `cinescrub` command."""

from cinescrub.cli import main

if __name__ == "__main__":
    main()
