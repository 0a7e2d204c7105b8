# shellcheck shell=bash
# The steps of action.yml, which sources this file. Inputs come in as environment variables and are expanded within quotes
# only. It runs under bash 3.2 too, which is macOS's: no mapfile, no name references.

INPUT_OUT=${INPUT_OUT:-evaluation} # an empty one would be the root of the file system
COMPARE_LOG=$RUNNER_TEMP/raml-eval-compare.log

random_word() {
  od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

# set_output NAME VALUE: the step has this output. With a fixed delimiter, a value could end itself and add outputs.
set_output() {
  local end
  end="end-$(random_word)"
  printf '%s<<%s\n%s\n%s\n' "$1" "$end" "$2" "$end" >>"$GITHUB_OUTPUT"
}

# annotate error|warning|notice TITLE TEXT: the text stands among the job's annotations.
annotate() {
  local title=$2 text=$3
  title=${title//:/%3A}
  title=${title//,/%2C}
  text=${text//%/%25}
  text=${text//$'\r'/%0D}
  text=${text//$'\n'/%0A}
  printf '::%s title=%s::%s\n' "$1" "$title" "$text"
}

# muted COMMAND...: what the command prints is shown, and the runner takes no line of it for a workflow command. The two
# streams become one, since the runner reads them apart and could take a late line after the end.
muted() {
  local word code=0
  word=$(random_word)
  printf '::stop-commands::%s\n' "$word"
  "$@" 2>&1 || code=$?
  printf '\n::%s::\n' "$word"
  return "$code"
}

# read_lines TEXT: LINES_READ holds its lines, but for the blank ones.
read_lines() {
  local line
  LINES_READ=()
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line%$'\r'}
    [[ -z ${line//[[:space:]]/} ]] || LINES_READ+=("$line")
  done <<<"$1"
}

# summarize FILE: the file is appended to the summary. A summary of more than 1 MiB would be dropped as a whole.
summarize() {
  if (($(wc -c <"$1") < 500000)); then
    printf '\n' | cat -- "$1" - >>"$GITHUB_STEP_SUMMARY"
  else
    printf '\n%s is too long for this summary.\n' "${1##*/}" >>"$GITHUB_STEP_SUMMARY"
  fi
}

# The package gets an environment of its own, which leaves the job's Python as it was; only the command comes onto the path.
install_package() {
  local folder=$RUNNER_TEMP/raml-eval
  if [[ $INPUT_INSTALL == action ]]; then
    LINES_READ=("$(cd "$GITHUB_ACTION_PATH/../../.." && pwd)${INPUT_EXTRAS:+[$INPUT_EXTRAS]}")
  else
    read_lines "$INPUT_INSTALL"
  fi
  python3 -m venv "$folder"
  muted "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${LINES_READ[@]}"
  mkdir -p "$folder/path"
  ln -sf "$folder/bin/raml-eval" "$folder/path/raml-eval"
  printf '%s\n' "$folder/path" >>"$GITHUB_PATH"
}

# choose_name: NAME is what tables call the run; empty if the config says. Every run would be "run" otherwise.
choose_name() {
  NAME=$INPUT_NAME
  [[ -z $NAME ]] || return 0
  if [[ -n $INPUT_CONFIG ]] && grep -q '^name:' -- "$INPUT_CONFIG" 2>/dev/null; then return 0; fi
  NAME=$(basename -- "$INPUT_OUT" | LC_ALL=C tr -c 'A-Za-z0-9._\n-' _ | tr -d '\n')
  NAME=$NAME${GITHUB_SHA:+-${GITHUB_SHA:0:7}}
}

# The same command continues a run, so that a second attempt draws only the samples that failed in the first.
draw_samples() {
  local code=0 words quote="'"
  words=("--out=$INPUT_OUT/run")
  choose_name
  [[ -z $NAME ]] || words+=("--set=name=$quote${NAME//$quote/$quote$quote}$quote") # as YAML, in which 7 were a number
  [[ -z $INPUT_CONFIG ]] || words+=("--config=$INPUT_CONFIG")
  [[ -z $INPUT_MODEL ]] || words+=("--model=$INPUT_MODEL")
  [[ -z $INPUT_BACKEND ]] || words+=("--backend=$INPUT_BACKEND")
  [[ -z $INPUT_TASKS ]] || words+=("--tasks=$INPUT_TASKS")
  [[ -z $INPUT_SAMPLES ]] || words+=("--samples=$INPUT_SAMPLES")
  [[ -z $INPUT_LIMIT ]] || words+=("--limit=$INPUT_LIMIT")
  [[ -z $INPUT_THINKING_BUDGET ]] || words+=("--thinking-budget=$INPUT_THINKING_BUDGET")
  read_lines "$INPUT_ARGS"
  words+=(${LINES_READ[@]+"${LINES_READ[@]}"})
  [[ -z $INPUT_PRESET ]] || words+=(-- "$INPUT_PRESET")
  set_output run "$INPUT_OUT/run"
  muted raml-eval run "${words[@]}" || code=$?
  if ((code == 4)); then
    annotate warning "raml-eval: samples failed" "Samples failed and are owed; the run is tried once more."
    code=0
    muted raml-eval run "${words[@]}" || code=$?
  fi
  set_output exit-code "$code"
  case $code in
    0) ;;
    1) annotate error "raml-eval: the gate failed (exit code 1)" "A look of --until-decided came to that. The log of this step has the looks." ;;
    3) annotate error "raml-eval: inconclusive, where that blocks (exit code 3)" \
      "The gate of --until-decided is inconclusive, which blocks. The log of this step has the looks." ;;
    4) annotate error "raml-eval: samples are owed (exit code 4)" \
      "Samples failed in two attempts. What was drawn is stored in $INPUT_OUT/run: keep it, find out why requests fail, and run the job again on it." ;;
    *) annotate error "raml-eval: the run failed (exit code $code)" "The log of this step says why; docs/exit-codes.md explains the codes." ;;
  esac
  return "$code"
}

# BASE is the run directory. An artifact may have been unpacked one folder higher.
find_baseline() {
  local found manifest
  BASE=$INPUT_BASELINE
  [[ ! -e $BASE/manifest.json ]] || return 0
  found=()
  for manifest in "$BASE"/*/manifest.json; do
    [[ ! -e $manifest ]] || found+=("${manifest%/manifest.json}")
  done
  ((${#found[@]} != 1)) || BASE=${found[0]}
}

# read_comparison FILE: what comparison.json says of the whole and of the gate, on a line each; an empty line for neither.
read_comparison() {
  python3 - "$1" <<'PYTHON'
import json, sys

with open(sys.argv[1], encoding="utf-8") as file:
    found = json.load(file)
print(found.get("verdict") or "")
print((found.get("gate") or {}).get("outcome") or "")
PYTHON
}

compare_runs() {
  local code=0 folder=$INPUT_OUT/comparison log=$COMPARE_LOG words line verdict='' outcome=''
  find_baseline
  rm -rf -- "$folder"
  mkdir -p -- "$folder"
  words=("--out=$folder")
  [[ -z $INPUT_GATE ]] || words+=("--gate=$INPUT_GATE")
  read_lines "$INPUT_ALLOW_DIFFERENT"
  for line in ${LINES_READ[@]+"${LINES_READ[@]}"}; do words+=("--allow-different=$line"); done
  read_lines "$INPUT_COMPARE_ARGS"
  words+=(${LINES_READ[@]+"${LINES_READ[@]}"})
  # compare would add to the summary itself, but nothing about a run that it cannot read, and any length.
  env -u GITHUB_STEP_SUMMARY raml-eval compare "${words[@]}" -- "$BASE" "$INPUT_OUT/run" >"$log" 2>&1 || code=$?
  muted cat "$log"
  if [[ ! -e $folder/comparison.md ]]; then
    { printf '**Not compared** (exit code %s):\n\n' "$code" && sed 's/^/    /' "$log"; } >"$folder/comparison.md"
  fi
  summarize "$folder/comparison.md"
  if [[ -e $folder/comparison.json ]]; then
    { read -r verdict && read -r outcome; } < <(read_comparison "$folder/comparison.json")
  fi
  set_output exit-code "$code"
  set_output verdict "$verdict"
  set_output gate "$outcome"
  set_output comparison "$folder"
  [[ ! -e $folder/comment.md ]] || set_output comment "$folder/comment.md"
}

say_uncompared() {
  if [[ $'\n'$INPUT_ARGS == *$'\n'--until-decided=* ]]; then
    printf 'The gate was judged while the run was drawn (--until-decided); nothing else was compared.\n\n' >>"$GITHUB_STEP_SUMMARY"
    return 0
  fi
  printf 'There is no baseline, so nothing was compared.\n\n' >>"$GITHUB_STEP_SUMMARY"
  [[ -z $INPUT_GATE ]] || annotate warning "raml-eval: no baseline" "There is no baseline, so the gate $INPUT_GATE was not applied."
}

report_run() {
  rm -f -- "$INPUT_OUT/report.md"
  muted raml-eval report --format=markdown --allow-partial "--out=$INPUT_OUT/report.md" -- "$INPUT_OUT/run"
  set_output report "$INPUT_OUT/report.md"
  summarize "$INPUT_OUT/report.md"
}

enter_board() {
  muted raml-eval leaderboard add -- "$INPUT_BOARD" "$INPUT_OUT/run"
}

# The first line that compare printed says how the gate ended, or why there is no comparison.
fail_with() {
  local title first
  case $1 in
    1) title="worse, or the gate failed" ;;
    2) title="not comparable" ;;
    3) title="inconclusive, where that blocks" ;;
    *) title="the comparison ended unexpectedly" ;;
  esac
  read -r first <"$COMPARE_LOG" || true
  annotate error "raml-eval: $title (exit code $1)" "$first The job's summary has the comparison; docs/exit-codes.md explains the codes."
  return "$1"
}
