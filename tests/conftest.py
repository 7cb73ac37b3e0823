"""What holds for every test: no network, no settings of the developer's own, no token in any file or log.

Give product code the ``canary`` wherever it wants a person's token. When the run ends, nothing under
pytest's temporary folder and nothing a test printed or logged may hold it.
"""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests import canary as canaries
from tests import network
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]  # one server for the whole run, whoever asks for it

SHARED = Path(__file__).parents[2] / "shared"
_CANARY = pytest.StashKey[str]()

# Examples share the machine with other test processes: how long one takes says nothing.
hypothesis.settings.register_profile("lockstep", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "lockstep")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for runs where everything is installed."""
    parser.addoption("--complete", action="store_true", help="a skipped test is a failure, as in CI")


def pytest_configure(config: pytest.Config) -> None:
    """Make this process's canary, and an environment that is the same for everyone."""
    config.stash[_CANARY] = canaries.make()
    for name in list(os.environ):
        if name.upper().startswith(("LOCKSTEP_", "GIT_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["GIT_CONFIG_GLOBAL"] = str(Path(__file__).with_name("gitconfig"))
    os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
    os.environ["GIT_TERMINAL_PROMPT"] = "0"


@pytest.fixture(scope="session", autouse=True)
def _own_surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        network.switch_off(patch)
        home = tmp_path_factory.mktemp("xdg")
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(home / name.lower()))
        yield


@pytest.fixture(scope="session")
def canary(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give a token to sign in with; at the end of the run it must be in no file of any test."""
    token = pytestconfig.stash[_CANARY]
    yield token
    leaks = [str(path) for path in canaries.files_with(token, tmp_path_factory.getbasetemp())]
    assert not leaks, f"the canary token was written to {leaks}"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder with real data; the test is skipped where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs ../shared/data, which only the project's own machines have")
    return SHARED / "data"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that printed or logged the canary, and in a complete run one that was skipped."""
    report = yield
    # The last report of a test has the output of all its phases.
    if report.when == "teardown" and report.outcome == "passed":
        shapes = canaries.shapes(item.config.stash[_CANARY])
        for title, text in report.sections:
            if any(shape in text.encode(errors="replace") for shape in shapes):
                report.outcome = "failed"
                report.longrepr = f"{item.nodeid}: the canary token is in its {title.lower()}"
    if report.skipped and not hasattr(report, "wasxfail") and item.config.getoption("--complete"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: skipped in a complete run: {reason}"
    return report
