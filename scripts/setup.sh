# SPDX-License-Identifier: Apache-2.0
# What ./demo, ./check and ./bench share: system packages, build, Python environment. Sourced by them, from the checkout's
# root. Every step looks first whether it has anything to do, so that a second call takes seconds.
#   GEMEL_NO_INSTALL=1  never install packages (fail if one is missing)
#   GEMEL_JOBS=N        compile and test with N processes (default: the number of cores)

say() { printf '%s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

gemel_packages=(
  build-essential cmake ninja-build ccache
  libsystemc-dev verilator
  libspdlog-dev libyaml-cpp-dev nlohmann-json3-dev libcli11-dev
  libgtest-dev libgmock-dev
  libxxhash-dev
  pybind11-dev python3-venv python3-dev
)
# What only ./check needs: other readers of the RTL and a prover (70 MB to fetch, 285 MB on disk; Debian's yosys brings GTK).
gemel_proof_packages=(iverilog yosys z3)

job_count() { printf '%s' "${GEMEL_JOBS:-$(nproc)}"; }

# install_packages [NAME...]: Debian and Ubuntu: installs what is missing, the named ones too. Elsewhere: says what is needed
# and goes on.
install_packages() {
  local wanted=("${gemel_packages[@]}" "$@")
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "packages: this is no Debian or Ubuntu; assuming that these (under their names here) are installed: ${wanted[*]}"
    return
  fi
  local missing=() package
  for package in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ -z "${GEMEL_NO_INSTALL:-}" ] || fail "packages are missing and GEMEL_NO_INSTALL is set: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "packages are missing, and there is no sudo. As root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "packages: installing ${missing[*]} (a few minutes, once)"
  mkdir -p build
  if ! { "${as_root[@]}" apt-get update &&
         "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } \
         >build/packages.log 2>&1 </dev/null; then
    tail -15 build/packages.log >&2
    fail "packages could not be installed; the whole output is in build/packages.log"
  fi
}

# build PRESET: configures if that was not done before (CMake itself does so again when a file that matters changes),
# compiles, shows progress, and on failure the errors only. Everything is in build/PRESET/build.log.
build() {
  local preset=$1 folder=build/$1 line shown=-1 percent status
  shift  # what remains: targets; none: everything
  mkdir -p "$folder"
  if [ ! -e "$folder/build.ninja" ]; then
    say "configuring $folder"
    if ! cmake --preset "$preset" >"$folder/configure.log" 2>&1; then
      tail -25 "$folder/configure.log" >&2
      fail "configuring failed; the whole output is in $folder/configure.log"
    fi
  fi
  : >"$folder/build.log"
  set +e
  NINJA_STATUS='[%f/%t] ' ninja -C "$folder" -j "$(job_count)" "$@" 2>&1 | while IFS= read -r line; do
    printf '%s\n' "$line" >>"$folder/build.log"
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\  ]]; then
      percent=$((100 * BASH_REMATCH[1] / BASH_REMATCH[2]))
      if [ -t 1 ]; then
        printf '\rbuilding %s: %3d %%' "$folder" "$percent"
      elif [ $((percent / 20)) -ne "$shown" ] && [ "${BASH_REMATCH[2]}" -gt 5 ]; then
        shown=$((percent / 20))
        printf 'building %s: %d %%\n' "$folder" "$percent"
      fi
    fi
  done
  status=${PIPESTATUS[0]}
  set -e
  [ ! -t 1 ] || printf '\r\033[K'
  if [ "$status" -ne 0 ]; then
    grep -nE -A12 '^FAILED:|: error:|fatal error|^ninja: error' "$folder/build.log" | head -60 >&2 || true
    fail "the build failed; the whole output is in $folder/build.log"
  fi
}

# python_environment FILE [optional]: a virtual environment in .venv with the packages that the requirements FILE names, besides
# those that other FILEs have brought there. `optional`: goes on where they cannot be had, and says so.
python_environment() {
  local wanted stamp=.venv/.installed_${1//\//_}
  wanted=$(sha256sum "$1" | cut -d' ' -f1)
  if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
  say "python: preparing .venv with the packages of $1"
  mkdir -p build
  if ! { { [ -x .venv/bin/python ] || python3 -m venv .venv; } &&
         .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$1"; } >build/python.log 2>&1; then
    if [ "${2:-}" = optional ]; then
      say "python: the packages of $1 cannot be had: $(grep -m1 ERROR build/python.log || tail -1 build/python.log)"
      return
    fi
    tail -15 build/python.log >&2
    fail "the Python environment could not be prepared; the whole output is in build/python.log"
  fi
  printf '%s' "$wanted" >"$stamp"
}
