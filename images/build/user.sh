#!/bin/sh
# user.sh: give the image the user that it runs as, written by hand, since not every OS image has useradd. A pip of the OS
# image goes: an image that installs nothing needs no installer.
set -eu
echo "cortex:x:10001:10001:cortex:/tmp:/usr/sbin/nologin" >>/etc/passwd
echo "cortex:x:10001:" >>/etc/group
rm -rf /usr/local/lib/python3.*/site-packages/pip* /usr/local/lib/python3.*/ensurepip /usr/local/bin/pip* \
  /usr/lib/python3/dist-packages/pip* /usr/bin/pip* /var/cache/*
