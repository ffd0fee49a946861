"""`python -m store`: the store's commands for a shell."""

from store.cli import main

raise SystemExit(main())
