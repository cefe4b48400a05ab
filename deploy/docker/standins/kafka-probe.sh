#!/bin/bash
# The question of the official image's tool, without starting a JVM for it: does the broker accept connections?
exec 3<>/dev/tcp/127.0.0.1/9092
