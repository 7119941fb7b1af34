#!/bin/busybox sh
# PID 1 of L1 until its root is laid out: loads the modules, mounts the root and the 9p shares, gives way to inside.py.
# /modules/order, /base, /shares and /python hold the values, /packed files for the root; no value becomes part of this
# script.

/bin/busybox --install -s /bin
export PATH=/bin

fail() {
    echo "testbed: $1" >/dev/console
    poweroff -f
}

share() { # tag, folder, options
    mkdir -p "$2" && mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2"
}

disk() { # name, folder
    tries=0
    until [ -b "/dev/$1" ] || [ $tries = 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    mkdir -p "$2" && mount -t squashfs -o ro "/dev/$1" "$2"
}

overlay() { # tag, folder, what is below: a tmpfs over that, so that everything can be written and nothing is kept
    mkdir -p "/scratch/$1/upper" "/scratch/$1/work" "$2" &&
        case $3 in
        share) share "$1" "/lower/$1" ro,cache=loose ;;
        disk) disk "$1" "/lower/$1" ;;
        esac &&
        mount -t overlay -o "lowerdir=/lower/$1,upperdir=/scratch/$1/upper,workdir=/scratch/$1/work" "$1" "$2"
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

while read -r module parameters; do
    # shellcheck disable=SC2086 # parameters are words
    insmod "/modules/$module" $parameters || fail "the module $module could not be loaded"
done </modules/order

mkdir -p /scratch /new
mount -t tmpfs -o size=80% scratch /scratch
read -r tag kind </base
overlay "$tag" /new "$kind" || fail "the root could not be mounted"

mount -t proc proc /new/proc
mount -t sysfs sysfs /new/sys
mount -t devtmpfs devtmpfs /new/dev
mkdir -p /new/dev/pts /new/dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /new/dev/pts
for folder in dev/shm run tmp; do
    mount -t tmpfs -o mode=1777,size=80% tmpfs "/new/$folder"
done
chmod 755 /new/run
for link in fd stdin:0 stdout:1 stderr:2; do
    case $link in
    fd) ln -sfn /proc/self/fd /new/dev/fd ;;
    *) ln -sf "/proc/self/fd/${link#*:}" "/new/dev/${link%:*}" ;;
    esac
done

while read -r tag kind folder; do
    case $kind in
    writable) share "$tag" "/new$folder" rw,cache=none ;;
    overlay) overlay "$tag" "/new$folder" share ;;
    esac || fail "the share $folder could not be mounted"
done </shares
if [ -d /packed ]; then
    cp -a /packed/. /new/ || fail "the files of the root could not be copied"
fi

chmod 666 /dev/kvm
# A guest may be given more memory than L1 has: what it does not touch costs nothing.
echo 1 >/proc/sys/vm/overcommit_memory
ip link set lo up

read -r python </python
exec switch_root -c /dev/console /new "$python" -IS /run/testbed/control/inside.py
