#!/bin/sh
# runc without the share of the processor that containerd gives each pod: User Mode Linux cannot turn the controller on.
previous=
case " $* " in
  *' create '*)
    for argument; do
      if [ "$previous" = --bundle ]; then sed -i 's/"shares":[0-9]*/"shares":0/' "$argument/config.json"; fi
      previous=$argument
    done ;;
esac
exec runc "$@"
