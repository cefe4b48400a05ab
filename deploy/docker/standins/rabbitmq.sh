#!/bin/bash
# /etc/rabbitmq/conf.d and the volume /var/lib/rabbitmq, as the official image takes them.
set -eu
chown rabbitmq:rabbitmq /var/lib/rabbitmq
bin=$(ls -d /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin | tail -n 1)
exec setpriv --reuid rabbitmq --regid rabbitmq --clear-groups env HOME=/var/lib/rabbitmq RABBITMQ_LOGS=- RABBITMQ_CONFIG_FILES=/etc/rabbitmq/conf.d \
    RABBITMQ_MNESIA_BASE=/var/lib/rabbitmq/mnesia RABBITMQ_PID_FILE=/var/lib/rabbitmq/pid "$bin/$1"
