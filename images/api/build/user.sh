#!/bin/sh
# user.sh: give an image the user that it runs as, and take away what nobody may need there: programs that run as
# somebody else, and pip. The user is written by hand, since not every OS image has useradd.
set -eu
echo "cortex:x:10001:10001:cortex:/tmp:/usr/sbin/nologin" >>/etc/passwd
echo "cortex:x:10001:" >>/etc/group
find / -xdev -type f -perm /6000 -exec chmod a-s {} +
rm -rf /usr/local/lib/python3.*/site-packages/pip* /usr/local/lib/python3.*/ensurepip /usr/local/bin/pip* \
  /usr/lib/python3/dist-packages/pip* /usr/bin/pip* /var/cache/*
