"""`crawlyard completion`: what makes a shell complete verbs, options and job ids."""

import click
from click.shell_completion import get_completion_class

#: a new user's zsh has no completion yet
_BEFORE = {"zsh": "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }\n"}


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    bash: eval "$(crawlyard completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc; fish: crawlyard completion fish
    > ~/.config/fish/completions/crawlyard.fish
    """
    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(_BEFORE.get(shell, ""), nl=False)
        click.echo(kind(ctx.find_root().command, {}, "crawlyard", "_CRAWLYARD_COMPLETE").source())
