#!/usr/bin/env bash
# A consumer for Willcall in bash and curl: one message at a time, as bytes in a file. See docs/clients.md.
#
#   WILLCALL_URL=https://willcall.example.org WILLCALL_KEY=… SUBSCRIPTION=acme-erp ./consumer.sh
#
# Also read: WAIT_SECONDS (20), VISIBILITY_SECONDS (30), and WORK_SECONDS (0), how long the pretended work takes.
set -uo pipefail
umask 077

wait_seconds=${WAIT_SECONDS:-20}
visibility_seconds=${VISIBILITY_SECONDS:-30}
base="${WILLCALL_URL:?}/v1/subscriptions/${SUBSCRIPTION:?}"
folder=$(mktemp -d)
# In a file, since every user of the machine can read a command line.
printf 'header = "Authorization: Bearer %s"\n' "${WILLCALL_KEY:?}" > "$folder/curlrc"

stopping=
poll=
trap 'rm -rf "$folder"' EXIT
# With KILL, here and below: a subshell that has just begun would still run these traps.
trap 'stopping=1; [ -z "$poll" ] || kill -KILL "$poll" 2> /dev/null' TERM INT

# request NAME SECONDS PATH JSON [curl options]: leaves the answer in $folder/NAME.*; becomes curl, so it wants a subshell.
request() {
  local name=$1 seconds=$2 path=$3 json=$4
  shift 4
  exec curl -sS -K "$folder/curlrc" -X POST -H 'Content-Type: application/json' "$@" --max-time "$seconds" \
    -D "$folder/$name.headers" -o "$folder/$name.body" -w '%{http_code}' --data "$json" "$base/$path" \
    > "$folder/$name.status" 2> "$folder/$name.error"
}

# status NAME EXIT_STATUS: of an answer that arrived whole; 000 of any other.
status() {
  if [ "$2" = 0 ]; then cat "$folder/$1.status"; else echo 000; fi
}

# header NAME FIELD: the value of one header line of an answer.
header() {
  sed -n "s/^$2: *//Ip" "$folder/$1.headers" 2> /dev/null | tr -d '\r' | head -n 1
}

failures=0
# back_off NAME STATUS: waits before the next try; ends the program where trying again cannot help.
back_off() {
  case $2 in
    000 | 408 | 429 | 5??) ;;
    *) echo "$2: $(cat "$folder/$1.body")" >&2; exit 1 ;;
  esac
  local ms=$((250 << (failures < 7 ? failures : 7))) after
  failures=$((failures + 1))
  ms=$((ms / 2 + RANDOM * ms / 65536))
  after=$(header "$1" retry-after)
  [[ $after =~ ^[0-9]{1,4}$ ]] && ((after * 1000 > ms)) && ms=$((after * 1000 + RANDOM % 250))
  echo "$2: trying again in $ms ms" >&2
  sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))" &
  wait $!
}

# settle VERB: acknowledges or releases the message in hand, until the service has said what became of it.
settle() {
  local status outcome
  for _ in 1 2 3 4 5; do
    (request settle 15 "$1" "{\"receipts\": [\"$receipt\"]}")
    status=$(status settle $?)
    outcome=$(grep -o '"outcome":"[^"]*"' "$folder/settle.body" 2> /dev/null | cut -d '"' -f 4)
    case $status in
      200) failures=0; outcome=${outcome#already_}; echo "${outcome%_late} $id"; return ;;
      # Not ours any more: somebody else has it, or has signed for it.
      409) failures=0; echo "not ${1}d $id: $outcome" >&2; return ;;
    esac
    back_off settle "$status"
  done
  echo "not ${1}d $id: the service stays away, the message comes again" >&2
}

# Moves the visibility timeout on while the work goes on; ends with this program, also when that is killed.
heartbeat() {
  local ms=$((visibility_seconds * 1000 / 3))
  while sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))" && kill -0 $$ 2> /dev/null; do
    (request extend 10 extend "{\"receipts\": [\"$receipt\"], \"visibility_timeout_seconds\": $visibility_seconds}")
  done
}

# Your work. The message is in the file $1. It may come again with the same $id: make the second time do nothing.
# Return 0 when it is done, 1 to give it back because of the shutdown.
process() {
  local tenths=$((${WORK_SECONDS:-0} * 10))
  while ((tenths-- > 0)); do
    [ -z "$stopping" ] || return 1
    sleep 0.1
  done
}

new_key() { key="$(date +%s%N)-$$-$RANDOM"; }

new_key
while [ -z "$stopping" ]; do
  json="{\"wait_seconds\": $wait_seconds, \"visibility_timeout_seconds\": $visibility_seconds}"
  # In the background, so that a signal need not wait for the answer.
  request receive $((wait_seconds + 15)) receive/raw "$json" -H "Idempotency-Key: $key" &
  poll=$!
  wait "$poll"
  status=$(status receive $?)
  poll=
  [ -z "$stopping" ] || break
  case $status in
    204) failures=0; new_key; continue ;;
    200) failures=0; new_key ;;
    # The same key again: a message that a lost answer held comes with the next one.
    *) back_off receive "$status"; continue ;;
  esac
  id=$(header receive willcall-message-id)
  receipt=$(header receive willcall-receipt)
  echo "received $id attempt $(header receive willcall-attempt)"
  heartbeat > /dev/null 2>&1 &
  beat=$!
  disown
  if process "$folder/receive.body"; then verb=acknowledge; else verb=release; fi
  kill -KILL "$beat" 2> /dev/null
  settle "$verb"
done
