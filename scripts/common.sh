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

# make_environment PYTHON DIRECTORY WHAT...: a virtual environment with WHAT installed, made anew when pyproject.toml changes, and
# when the checkout is moved or copied: an editable installation refers to it by its path. Exits with 2 if that fails, since 1 is a finding.
make_environment() {
    local python=$1 directory=$2
    shift 2
    local wanted
    wanted="$PWD $* $("$python" -V) $(cksum < pyproject.toml)"
    if [ "$(cat "$directory/.made-for" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    echo "Installing into $directory ($("$python" -V)) ..." >&2
    rm -rf "$directory"
    "$python" -m venv "$directory" ||
        give_up "$python cannot make a virtual environment. Install its venv module (on Debian: apt install python3-venv)."
    "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile "$@" >&2 2>&1 ||
        give_up "The installation into $directory failed, see above. Check the network (pip honours HTTPS_PROXY, PIP_INDEX_URL)."
    echo "$wanted" > "$directory/.made-for"
}

# give_up WHY: the end of a script that has not begun.
give_up() {
    echo "$0: $1 Then run this again." >&2
    exit 2
}
