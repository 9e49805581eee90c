# Shared by the scripts: which Python to use, and environments that are made once and reused.

# Print every installed Python >= 3.11, on the PATH or pyenv's, one for each version.
find_pythons() {
    local candidate version seen=" "
    for candidate in python3.11 python3.12 python3.13 python3.14 python3 python "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python; do
        version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2]) if sys.version_info >= (3, 11) else None' 2>/dev/null) || continue
        if [ -z "$version" ] || [ "$version" = "None" ] || [[ "$seen" == *" $version "* ]]; then
            continue
        fi
        seen="$seen$version "
        echo "$candidate"
    done
}

# The first of them, or an explanation.
require_python() {
    local python
    python=$(find_pythons | sed -n 1p)  # not head, which would end find_pythons by a broken pipe
    if [ -z "$python" ]; then
        echo "tokenward needs Python 3.11 or later, and none was found on the PATH. Install one, such as from python.org." >&2
        return 1
    fi
    echo "$python"
}

# make_environment PYTHON DIRECTORY WHAT...: a virtual environment with WHAT installed, made anew when pyproject.toml changes.
make_environment() {
    local python=$1 directory=$2
    shift 2
    local wanted
    wanted="$* $("$python" -V) $(cksum < pyproject.toml)"
    if [ "$(cat "$directory/.made-for" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    echo "Installing into $directory ($("$python" -V)) ..." >&2
    rm -rf "$directory"
    "$python" -m venv "$directory"
    "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile "$@" >&2 2>&1
    echo "$wanted" > "$directory/.made-for"
}
