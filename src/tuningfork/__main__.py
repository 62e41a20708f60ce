"""`python -m tuningfork` is `tuningfork`."""

from tuningfork.cli import main

if __name__ == "__main__":
    main()
