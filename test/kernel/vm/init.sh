#!/bin/busybox sh
# The first process of a guest: finds disk and network, makes what must be writable, says so on the console, and becomes sshd
# (dropbear). From the kernel's command line: vmname, vmkey (who may log in as labuser), vmuserns (limit of user namespaces).
B=/bin/busybox
$B mkdir -p /proc /sys /dev /n
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t devtmpfs dev /dev
for module in /modules/*; do $B insmod "$module" 2>/dev/null; done
option() { $B sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" /proc/cmdline; }

tries=0
until $B test -b /dev/vda || $B test $tries = 100; do tries=$((tries + 1)); $B usleep 50000; done
$B mount -t ext4 -o ro /dev/vda /n || { echo "VM-FAILED no disk"; $B poweroff -f; }

$B mount -t proc proc /n/proc
$B mount -t sysfs sys /n/sys
$B mount -t securityfs sec /n/sys/kernel/security 2>/dev/null
$B mount -t cgroup2 cgroup /n/sys/fs/cgroup 2>/dev/null
$B mount -t devtmpfs dev /n/dev
$B mkdir -p /n/dev/pts /n/dev/shm
# what udev would have made
$B ln -s /proc/self/fd /n/dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do $B ln -s "/proc/self/fd/${stream%:*}" "/n/dev/${stream#*:}"; done
$B mount -t devpts -o mode=620,ptmxmode=666 devpts /n/dev/pts
$B mount -t tmpfs -o mode=1777 tmpfs /n/dev/shm
for place in tmp var/tmp; do $B mount -t tmpfs -o mode=1777 tmpfs /n/$place; done
for place in run home root etc/dropbear; do $B mount -t tmpfs -o mode=755 tmpfs /n/$place; done
$B mkdir -p /n/home/labuser/.ssh
echo "ssh-ed25519 $(option vmkey) test" >/n/home/labuser/.ssh/authorized_keys
$B chmod 700 /n/home/labuser /n/home/labuser/.ssh
$B chown -R 1500:1500 /n/home/labuser

$B ifconfig lo 127.0.0.1 up
$B ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
$B hostname "$(option vmname)"
limit=$(option vmuserns)
[ -z "$limit" ] || echo "$limit" >/proc/sys/user/max_user_namespaces
# the console is a serial line of the emulator: what follows is read by machine.ts
echo "VM-READY $($B uname -r) $($B cat /n/sys/kernel/security/lsm)"
exec $B switch_root /n /usr/sbin/dropbear -F -E -s -R -p 22
