"""`python -m tools`: makes this machine ready, or says what it lacks."""

from tools.cli import main

main()
