"""
Check the wheel and the sdist in a folder, then install the wheel and log in with it.

``python .ci/check_package.py dist``, at the top of the repository. Needs uv.
"""

import subprocess
import sys
import tarfile
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

PACKAGE = Path("django_piggy_verify")
WANTED_IN_WHEEL = (
    "django_piggy_verify/py.typed",
    "django_piggy_verify/testing/*.py",
    "django_piggy_verify/locale/nl/LC_MESSAGES/django.mo",
    "django_piggy_verify/locale/nl_X-informal/LC_MESSAGES/django.mo",
    "django_piggy_verify/management/commands/*.py",
    "django_piggy_verify/migrations/0001_*.py",
    "django_piggy_verify/sandbox/urls.py",
    "django_piggy_verify/static/piggy_verify/*.css",
    "django_piggy_verify/static/piggy_verify/*.js",
    "django_piggy_verify/templates/piggy_verify/*.html",
    "django_piggy_verify/templatetags/piggy_verify.py",
    "*.dist-info/licenses/LICENSE",
)
WRITTEN_INTO_SDIST = {"PKG-INFO"}
SECRET_OR_STATE = (".env", "*.pyc", "*.sqlite3", "*.pem", "*.key")


def sources() -> set[str]:
    """Answer what a checkout holds that a wheel must hold as well."""
    return {
        path.as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def lacking(names: set[str], patterns: tuple[str, ...]) -> list[str]:
    """Answer the patterns that no name matches."""
    return [
        pattern
        for pattern in patterns
        if not any(fnmatch(name, pattern) for name in names)
    ]


def tracked() -> set[str]:
    """Answer what the repository holds, which an sdist must hold as well."""
    # Whoever owns the checkout: git is only asked what is in it.
    command = ("git", "-c", "safe.directory=*", "ls-files", "-z")
    listed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return {name for name in listed.stdout.split("\0") if name}


def differences(held: set[str], wanted: set[str]) -> list[str]:
    """Answer what an archive has too little of, and too much."""
    return [
        *(f"lacks {name}" for name in sorted(wanted - held)),
        *(f"holds {name}" for name in sorted(held - wanted)),
    ]


def secrets_or_state(names: set[str]) -> list[str]:
    """Answer what no archive may hold."""
    return [
        f"holds {name}"
        for name in sorted(names)
        if any(fnmatch(Path(name).name, pattern) for pattern in SECRET_OR_STATE)
    ]


def faults_of_wheel(wheel: Path) -> list[str]:
    """Answer what is wrong with the wheel: it is the package, and no more."""
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    held = {name for name in names if not fnmatch(name, "*.dist-info/*")}
    return [
        *(f"lacks {pattern}" for pattern in lacking(names, WANTED_IN_WHEEL)),
        *differences(held, sources()),
        *secrets_or_state(names),
        *(
            f"lacks the compiled {name}"
            for name in sorted(held)
            if name.endswith(".po") and f"{name[:-3]}.mo" not in held
        ),
    ]


def faults_of_sdist(sdist: Path) -> list[str]:
    """Answer what is wrong with the sdist: it is the repository, and no more."""
    with tarfile.open(sdist) as archive:
        members = [each.name for each in archive.getmembers() if each.isfile()]
    names = {name.partition("/")[2] for name in members} - WRITTEN_INTO_SDIST
    return [*differences(names, tracked()), *secrets_or_state(names)]


def run(*command: str, folder: str | None = None) -> None:
    """Run a command there; what it says is enough, if it fails."""
    if subprocess.run(command, check=False, cwd=folder).returncode:
        sys.exit(f"failed: {' '.join(command)}")


def use(wheel: Path) -> None:
    """Install the wheel into an empty environment, and run a site with it there."""
    probe = Path(__file__).with_name("probe.py").resolve()
    readme = str(Path("README.rst").resolve())
    with TemporaryDirectory() as folder, TemporaryDirectory() as site:
        run("uv", "venv", "--quiet", "--python", sys.executable, folder)
        python = str(next(Path(folder).glob("[bS]*/python*")))
        run("uv", "pip", "install", "--quiet", "--python", python, str(wheel))
        # Isolated, and elsewhere: the checkout must not stand in for the wheel.
        isolated = (python, "-I", "-X", "dev", "-W", "error")
        run(*isolated, str(probe), readme, folder=site)


def main(folder: Path) -> None:
    """Look at the one wheel and the one sdist of the folder."""
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    found = [f"{wheel.name} {fault}" for fault in faults_of_wheel(wheel)]
    found += [f"{sdist.name} {fault}" for fault in faults_of_sdist(sdist)]
    if found:
        sys.exit("\n".join(found))
    use(wheel)
    print(f"{wheel.name} and {sdist.name} are complete, and the wheel works")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
