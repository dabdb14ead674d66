#!/usr/bin/env bash
# The image for the ESP32-C6, as `boards` does it for the other ones.
exec "$(dirname "$0")/boards.sh" esp32c6
