from __future__ import annotations


def test_the_stack_is_selected_for_every_program_in_the_shell(command, programs, monkeypatch, tmp_path):
    """Pulumi knows nothing of another stack than the one that somebody selected before."""
    shell = tmp_path / "shell"
    shell.write_text(f"#!/bin/sh\necho $CORTEX_STACK $PULUMI_STACK > {tmp_path}/told\n")
    shell.chmod(0o755)
    monkeypatch.setenv("SHELL", str(shell))
    code, _, err = command("shell", "--stack", "prod")
    assert code == 0
    assert "stack prod is selected" in err
    assert (tmp_path / "told").read_text() == "prod prod\n"
