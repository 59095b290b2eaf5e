"""`python -m console` is `stratodeck`."""

from console.cli import main

main(prog_name="stratodeck")
