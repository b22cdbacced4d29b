"""`python -m edge_daemon` is `edge-daemon`."""

from edge_daemon.cli import main

if __name__ == "__main__":
    main()
