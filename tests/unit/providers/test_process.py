"""A program's input, and how much of its output is kept; test_exec_program.py has the rest."""

import sys

import pytest

from certwright.providers.process import MAX_OUTPUT, PIPE_SIZE, Outcome, run

PYTHON = (sys.executable, "-I", "-c")


def program(text: str, content: bytes = b"", **more: int) -> Outcome:
    return run([*PYTHON, text], environment={}, seconds=30, content=content, **more)


def test_the_input_is_read_to_its_end() -> None:
    echo = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    assert program(echo, b"one\ntwo") == Outcome(0, b"one\ntwo")
    assert program(echo) == Outcome(0, b"")


def test_as_much_as_a_pipe_holds_keeps_nobody_waiting() -> None:
    assert program("import time; print('ended')", b"x" * PIPE_SIZE) == Outcome(0, b"ended\n")
    assert (
        run([*PYTHON, "import time; time.sleep(60)"], environment={}, seconds=1, content=b"x" * PIPE_SIZE).status
        is None
    )


def test_more_is_refused() -> None:
    with pytest.raises(ValueError, match="a pipe holds 65536"):
        program("", b"x" * (PIPE_SIZE + 1))


def test_a_program_that_ends_at_once() -> None:
    for _ in range(5):
        assert program("import os; os.close(0); os._exit(3)", b"x" * PIPE_SIZE).status == 3


@pytest.mark.parametrize("keep", [MAX_OUTPUT, 100_000])
def test_the_end_of_the_output_is_kept_in_whole_lines(keep: int) -> None:
    outcome = program("for number in range(20000): print(number)", keep=keep)
    lines = outcome.output.splitlines()
    assert lines[-1] == b"19999"
    assert keep - 10 < len(outcome.output) <= keep
    assert lines == [str(number).encode() for number in range(20000 - len(lines), 20000)]
