"""The example pipelines and the release workflow: linted, and our command lines take each command in the examples."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from edgener.cli.main import main as build_side
from edgener_runtime.cli.main import main as device_side

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / "examples" / "ci"
GITHUB, GITLAB = CI / "github.yml", CI / "gitlab-ci.yml"
RELEASE = ROOT / ".github" / "workflows" / "release.yml"
STYLE = "{extends: default, rules: {document-start: disable, truthy: {check-keys: false}, line-length: {max: 120}}}"
# an example cannot know which commits you have looked at; the file says so. What publishes pins every commit.
PINS = {GITHUB.name: {"actions/*": "ref-pin", "*": "hash-pin"}, RELEASE.name: {"*": "hash-pin"}}
GROUPS = {"edgener": build_side, "edgener-runtime": device_side}
STEPS = ["edgener train", "edgener export", "edgener bench", "edgener compare"]

each = pytest.mark.parametrize("file", [GITHUB, GITLAB], ids=lambda file: file.stem)
each_workflow = pytest.mark.parametrize("file", [GITHUB, RELEASE], ids=lambda file: file.stem)
all_files = pytest.mark.parametrize("file", [GITHUB, GITLAB, RELEASE], ids=lambda file: file.stem)


def lint(tool: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    program = shutil.which(tool, path=str(Path(sys.executable).parent)) or shutil.which(tool)
    if program is None:
        pytest.skip(f"{tool} is not installed: pip install {tool}")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)


def follows_its_schema(file: Path) -> subprocess.CompletedProcess[str]:
    schema = "vendor.gitlab-ci" if "script:" in file.read_text() else "vendor.github-workflows"
    more = ["--data-transform", "gitlab-ci"] if schema == "vendor.gitlab-ci" else []
    return lint("check-jsonschema", "--builtin-schema", schema, *more, file)


def audit(file: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    settings = {"rules": {"unpinned-uses": {"config": {"policies": PINS[file.name]}}}}
    (folder / "zizmor.yml").write_text(yaml.safe_dump(settings))
    return lint("zizmor", "--offline", "--no-progress", "--color", "never", "--config", folder / "zizmor.yml", file)


def planted(folder: Path, file: Path, old: str, new: str) -> Path:
    text = file.read_text(encoding="utf-8")
    assert old in text
    (folder / file.name).write_text(text.replace(old, new), encoding="utf-8")
    return folder / file.name


def scripts(node: Any) -> Iterator[str]:
    """Every line that a shell would run."""
    if isinstance(node, list):
        for item in node:
            yield from scripts(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("run", "script", "before_script"):
                yield from ("\n".join(value) if isinstance(value, list) else value).splitlines()
            else:
                yield from scripts(value)


def commands(file: Path) -> list[list[str]]:
    """Those of them that are ours, as words."""
    words = map(shlex.split, scripts(yaml.safe_load(file.read_text(encoding="utf-8"))))
    return [line for line in words if line and line[0] in GROUPS]


def parse(line: list[str]) -> None:
    """Raises click.UsageError where our command line would not take it."""
    program, name, *arguments = line
    command = GROUPS[program].commands.get(name)
    if command is None:
        raise click.UsageError(f"no such command: {name}")
    command.make_context(name, arguments)


@all_files
def test_yamllint_has_nothing_to_say(file: Path) -> None:
    done = lint("yamllint", "--strict", "-d", STYLE, file)
    assert done.returncode == 0, done.stdout


@all_files
def test_it_follows_its_schema(file: Path) -> None:
    done = follows_its_schema(file)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [(GITHUB, "runs-on:", "run-on:"), (GITHUB, "    steps:", "    stops:"), (GITLAB, "exit_codes:", "exit_code:")],
)
def test_a_key_that_is_none_is_found(tmp_path: Path, file: Path, old: str, new: str) -> None:
    assert follows_its_schema(planted(tmp_path, file, old, new)).returncode == 1


@each_workflow
def test_the_workflow_gives_nothing_away(file: Path, tmp_path: Path) -> None:
    done = audit(file, tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_workflow_that_does_is_found(tmp_path: Path) -> None:
    title = "edgener bench out/bundle --name ${{ github.event.pull_request.title }}"
    done = audit(planted(tmp_path, GITHUB, "edgener bench out/bundle", title), tmp_path)
    assert done.returncode != 0 and "template-injection" in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("@11bd71901bbe5b1630ceea73d27597364c9af683", "@v4", "unpinned-uses"),
        ('--tag "$GITHUB_REF_NAME"', "--tag ${{ github.ref_name }}", "template-injection"),
    ],
)
def test_a_release_that_is_not_safe_is_found(tmp_path: Path, old: str, new: str, finding: str) -> None:
    done = audit(planted(tmp_path, RELEASE, old, new), tmp_path)
    assert done.returncode != 0 and finding in done.stdout


def permissions(workflow: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {name: job["permissions"] for name, job in workflow["jobs"].items()}


def test_only_the_jobs_that_publish_or_attest_may_identify_themselves() -> None:
    workflow = yaml.safe_load(RELEASE.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    assert permissions(workflow) == {
        "build": {"contents": "read"},
        "attest": {"id-token": "write", "attestations": "write"},
        "publish-runtime": {"id-token": "write"},
        "publish": {"id-token": "write"},
    }


def test_what_is_published_was_built_once_and_the_runtime_goes_first() -> None:
    jobs = yaml.safe_load(RELEASE.read_text(encoding="utf-8"))["jobs"]
    assert [name for name, job in jobs.items() if any("run" in step for step in job["steps"])] == ["build"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "build": None, "attest": "build", "publish-runtime": "attest", "publish": "publish-runtime",
    }  # fmt: skip
    kept = {step["with"]["name"]: step["with"]["path"] for step in jobs["build"]["steps"] if "upload" in str(step)}
    assert kept == {"edgener-runtime": "dist/edgener_runtime-*", "edgener": "dist/edgener-*"}
    taken = {name: jobs[name]["steps"][0]["with"]["name"] for name in ("publish-runtime", "publish")}
    assert taken == {"publish-runtime": "edgener-runtime", "publish": "edgener"}


@each
def test_our_commands_are_such_as_we_have(file: Path) -> None:
    found = commands(file)
    assert [" ".join(line[:2]) for line in found] == STEPS
    for line in found:
        parse(line)


@pytest.mark.parametrize(("old", "new"), [("--max-regression", "--most-regression"), ("edgener train", "edgener fit")])
@each
def test_an_option_that_is_none_is_found(tmp_path: Path, file: Path, old: str, new: str) -> None:
    with pytest.raises(click.UsageError):
        for line in commands(planted(tmp_path, file, old, new)):
            parse(line)


@each
def test_what_one_step_writes_the_next_reads(file: Path) -> None:
    train, export, bench, compare = commands(file)
    assert train[train.index("--out") + 1] == export[2]
    assert export[export.index("--out") + 1] == bench[2]
    assert bench[bench.index("--out") + 1] == compare[3]


@all_files
def test_its_head_says_that_it_was_not_run(file: Path) -> None:
    assert "# Linted, not run on Git" in file.read_text(encoding="utf-8")
