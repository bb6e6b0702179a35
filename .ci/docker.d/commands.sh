# What .ci/docker types, on both sides. $D is docker. $R is `docker run --rm` without a network, which would take most of
# the time. $CTR is containerd's client, and $RUN its `run` with the runtime. A paragraph leaves no container behind: those with
# "nothing is left" print nothing if that is so.

# Docker: exit codes
for code in 0 1 125 127 255; do $R $IMAGE sh -c "exit $code"; echo $code: $?; done
$R $IMAGE sh -c 'kill -9 $$'
$R $IMAGE sh -c 'kill -TERM $$; sleep 1'
$R --init $IMAGE sh -c 'kill -TERM $$'

# Docker: commands that cannot start
$R $IMAGE nope 2>&1 | grep -o 'executable file not found.*'
$R $IMAGE nope 2>/dev/null
$R $IMAGE /no/such 2>&1 | grep -o 'no such file or directory'
$R $IMAGE /no/such 2>/dev/null
$R $IMAGE /etc 2>&1 | grep -o 'permission denied'
$R $IMAGE /etc 2>/dev/null
$R $IMAGE /etc/passwd/x 2>/dev/null
$R -e PATH=/etc $IMAGE passwd 2>/dev/null
$R -e PATH= $IMAGE true 2>/dev/null
$R -e PATH=:/bin $IMAGE pwd
$R $IMAGE '' 2>/dev/null
$R -w /etc/passwd $IMAGE true 2>&1 | grep -o 'ot a directory'
$R -v /dev/null:/bin/true:ro $IMAGE true 2>/dev/null
printf '#!/no/such\n' >script; chmod +x script; $R -v "$PWD/script:/script" $IMAGE /script 2>&1 | grep -o 'no such file or directory'
printf 'neither\n' >script; chmod +x script; $R -v "$PWD/script:/script" $IMAGE /script 2>&1 | grep -o 'exec format error'
$R -u no-such-user $IMAGE true
$R -v /no/such:/etc/passwd/below $IMAGE true 2>/dev/null
$D ps -a -q

# Docker: a terminal
script -qec "$R -it $IMAGE sh -c 'tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo all'" /dev/null </dev/null
script -qec "stty rows 33 cols 111; $R -it $IMAGE sh -c 'sleep 0.5; stty size'" /dev/null </dev/null
(sleep 1; echo 'echo typed; exit 5'; sleep 1) | script -qec "$R -it -e PS1=% $IMAGE sh" /dev/null
$R -t $IMAGE sh -c 'ls -l /dev/console | cut -c1-10; stat -c %a,%u,%g /dev/console /dev/pts/0'
$R -t -u nobody $IMAGE sh -c 'stat -c %a,%u,%g $(tty); echo out >/dev/stdout; echo err >/dev/stderr'
$D run -d -t --name term $IMAGE sh -c 'read line; echo got $line'
$D exec -t term sh -c 'tty; ls /dev/pts'
$D rm -f term

# Docker: a background container, and exec
$D run -d --name web --rm -e FIRST=1 -w /tmp $IMAGE sh -c 'echo up; trap "exit 3" TERM; while :; do sleep 0.1; done'
until $D logs web | grep -q up; do sleep 0.1; done
$D exec web pwd
$D exec -w /etc web pwd
$D exec -w /no/such web true 2>&1 | grep -o 'no such file or directory'
$D exec -e SECOND=2 web sh -c 'echo $FIRST $SECOND $HOME'
$D exec -u nobody web sh -c 'id; echo $HOME'
$D exec -u 12:34 web id
$D exec -u 0:nogroup web id
$D exec -u no-such-user web id
$D exec web grep -E 'Cap|Seccomp:|NoNewPrivs' /proc/self/status
script -qec "$D exec -it web sh -c 'tty; stty size'" /dev/null </dev/null | grep .
$D exec -i web cat <script
$D exec -d web sh -c 'echo $$ >/tmp/exec; sleep 1000'
until $D exec web test -s /tmp/exec; do sleep 0.1; done
$D exec web sh -c 'cat /proc/$(cat /tmp/exec)/comm; cat /proc/self/cgroup | wc -l'
$D top web -eo comm | sort
for code in 0 1 127 255; do $D exec web sh -c "exit $code"; echo $code: $?; done
$D exec web sh -c 'kill -9 $$'
$D exec web nope
$D exec web nope 2>&1 | grep -o 'executable file not found.*'
$D exec web /etc 2>&1 | grep -o 'permission denied'
$D exec web /no/such 2>&1 | grep -o 'no such file or directory'
$D exec web sh -c 'readlink /proc/self/ns/* /proc/1/ns/* | sort | uniq -c | wc -l'
$D exec web cat /proc/self/oom_score_adj
$D port web
$D stop web
until [ -z "$($D ps -a -q)" ]; do sleep 0.1; done

# Docker: stop, kill, restart
$D run -d --name one $IMAGE sh -c 'trap "echo hup" HUP; trap "echo usr; exit 9" USR1; echo up; while :; do sleep 0.1; done'
until $D logs one | grep -q up; do sleep 0.1; done
$D kill -s HUP one
$D kill -s 1 one
until $D logs one | grep -q hup; do sleep 0.1; done
$D kill -s USR1 one
$D wait one
$D inspect -f '{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Pid}} {{.State.Error}}' one
$D start one
$D restart -t 0 one
$D inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}' one
$D exec one true
$D stop -t 1 one
$D inspect -f '{{.State.Status}} {{.State.ExitCode}}' one
$D exec one true
$D start -a one & sleep 1; $D kill one; wait
$D kill one
$D rm one
$D run -d --name stop --stop-signal USR1 $IMAGE sh -c 'trap "exit 6" USR1; echo up; while :; do sleep 0.1; done'
until $D logs stop | grep -q up; do sleep 0.1; done
$D stop stop
$D wait stop
$D rm stop
$D run -d --name again --restart on-failure:2 $IMAGE false
until [ "$($D inspect -f '{{.State.Status}} {{.RestartCount}}' again)" = 'exited 2' ]; do sleep 0.1; done
$D rm again
$D run -d --name forced $IMAGE sleep 1000
$D rm -f forced

# Docker: pause
$D run -d --name one $IMAGE sh -c 'while :; do echo x; sleep 0.1; done'
$D pause one
$D inspect -f '{{.State.Status}} {{.State.Paused}}' one
$D exec one true
$D pause one
before=$($D logs one | wc -l); sleep 0.5; [ "$($D logs one | wc -l)" = $before ] && echo still
$D top one -eo comm | sort -u | head -1
$D ps --format '{{.Names}}' -f status=paused
$D unpause one
$D unpause one
$D inspect -f '{{.State.Status}}' one
$D pause one
$D stop -t 1 one
$D inspect -f '{{.State.Status}} {{.State.ExitCode}}' one
$D start one
$D pause one
$D kill one
$D inspect -f '{{.State.Status}} {{.State.Paused}}' one
$D rm -f one

# Docker: limits

$R --memory 64m $IMAGE sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null'
$R --memory 64m --memory-swap 128m --memory-reservation 32m $IMAGE sh -c 'cd /sys/fs/cgroup; cat memory/memory.*limit_in_bytes memory/memory.swappiness memory.max memory.low memory.swap.max 2>/dev/null'
$R --memory 64m --oom-kill-disable $IMAGE sh -c 'cd /sys/fs/cgroup; cat memory/memory.oom_control 2>/dev/null'
$R --cpus 0.5 --cpu-shares 512 $IMAGE sh -c 'cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.shares cpu.max cpu.weight 2>/dev/null'
$R --cpu-quota 20000 --cpu-period 50000 $IMAGE sh -c 'cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu.max 2>/dev/null'
$R --cpuset-cpus 1 --cpuset-mems 0 $IMAGE sh -c 'nproc; grep -i _allowed_list /proc/self/status'
$R --pids-limit 20 $IMAGE sh -c 'exec 2>&1; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; for i in $(seq 30); do sleep 5 & done; true' 2>&1 | sed 's/[0-9]*: *//' | sort -u
$R --pids-limit -1 $IMAGE sh -c 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null'
$R --blkio-weight 300 $IMAGE sh -c 'cat /sys/fs/cgroup/blkio/blkio*weight 2>/dev/null'
$R --device-read-bps /dev/vda:1mb --device-write-iops /dev/vda:10 $IMAGE sh -c 'cat /sys/fs/cgroup/blkio/blkio.throttle.*_device 2>/dev/null'
$R --kernel-memory 50m $IMAGE true 2>/dev/null
$R --cpu-rt-runtime 1000 $IMAGE true 2>/dev/null
$R --memory 4m $IMAGE true 2>/dev/null
$R --cpuset-cpus 99 $IMAGE true 2>/dev/null
$R --cgroup-parent "/$GROUP/deep/er" $IMAGE sh -c 'sed -E "s/.*:(.*):/\1 /" /proc/self/cgroup | sort'
$R --cgroupns host $IMAGE sh -c 'sed -E "s/^[0-9]*://" /proc/self/cgroup | sort'
$R --cgroupns private $IMAGE sh -c 'sed -E "s/^[0-9]*://" /proc/self/cgroup | sort; grep cgroup /proc/self/mountinfo | cut -d" " -f4-6 | grep /cgroup/ | grep -v unified | sort'

# Docker: out of memory
$D run --name hog --memory 32m $IMAGE tail /dev/zero
$D inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' hog
$D rm hog
$D run -d --name hog --memory 32m $IMAGE sleep 1000
$D exec hog tail /dev/zero
$D inspect -f '{{.State.OOMKilled}} {{.State.Running}}' hog
$D rm -f hog

# Docker: update
$D run -d --name one --memory 64m --memory-swap 64m $IMAGE sleep 1000
$D update --memory 100m --memory-swap 200m --memory-reservation 50m one
$D exec one sh -c 'cd /sys/fs/cgroup; cat memory/memory.*limit_in_bytes memory.max 2>/dev/null'
$D update --cpus 1.5 --cpu-shares 100 one
$D exec one sh -c 'cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.shares cpu.max cpu.weight 2>/dev/null'
$D update --pids-limit 77 one
$D exec one sh -c 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null'
$D update --cpuset-cpus 0 one
$D exec one nproc
$D update --blkio-weight 400 one
$D exec one sh -c 'cat /sys/fs/cgroup/blkio/blkio*weight 2>/dev/null'
$D exec one sh -c 'cd /sys/fs/cgroup; cat memory/memory.*limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max cpuset/cpuset.cpus 2>/dev/null'
$D update --memory 1k one
$D update --cpuset-cpus 77 one 2>/dev/null
$D update --memory 300m one 2>&1 | grep -o 'Memory limit should be smaller.*'
$D inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}' one
$D update --restart always one
$D rm -f one

# Docker: top and stats
$D run -d --name one --memory 50m $IMAGE sh -c 'sleep 1000 & sleep 1000 & wait'
until [ "$($D top one | wc -l)" = 4 ]; do sleep 0.1; done
$D top one | awk '{print $1, NF}'
$D top one -o args,uid
$D stats --no-stream --format '{{.Name}} {{.PIDs}} {{.NetIO}}' one | cut -d' ' -f1,2
$D stats --no-stream --format '{{.MemUsage}}' one | cut -d/ -f2
$D stats --no-stream --format '{{.MemPerc}} {{.CPUPerc}} {{.BlockIO}}' one | tr -d 0-9.
$D rm -f one

# Docker: mounts
mkdir -p tree/sub; echo content >tree/file; touch single
$R -v "$PWD/tree:/tree" $IMAGE cat /tree/file
$R -v "$PWD/tree:/tree:ro" $IMAGE touch /tree/no
$R -v "$PWD/single:/etc/single:ro" $IMAGE sh -c 'echo x >/etc/single'
for how in private rprivate slave rslave shared rshared; do $R -v "$PWD/tree:/tree:$how" $IMAGE sh -c 'grep " /tree " /proc/self/mountinfo | grep -oE "(shared|master)" | sort'; echo $how $?; done
mkdir tree/new; $D run -d --name one -v "$PWD/tree:/tree:rslave" $IMAGE sleep 1000; mount -t tmpfs tmpfs tree/new; touch tree/new/seen; $D exec one ls /tree/new; umount tree/new; $D rm -f one
mkdir tree/deep; $R -v "$PWD/tree:/tree:rshared" --cap-add SYS_ADMIN --security-opt apparmor=unconfined $IMAGE sh -c 'mount -t tmpfs inside /tree/deep; touch /tree/deep/seen'; ls tree/deep; umount tree/deep
mount -t tmpfs tmpfs tree/sub; $R --mount type=bind,src="$PWD/tree",dst=/tree,bind-nonrecursive $IMAGE sh -c 'grep -c /tree /proc/self/mountinfo'; $R -v "$PWD/tree:/tree:ro" $IMAGE sh -c 'touch /tree/sub/file; echo $?; grep /tree /proc/self/mountinfo | cut -d" " -f6'; umount tree/sub
$R --mount type=bind,src="$PWD/tree",dst=/tree,readonly $IMAGE touch /tree/no
$R --mount type=bind,src=/no/such,dst=/tree $IMAGE true
$D volume create vol
$R -v vol:/var $IMAGE sh -c 'echo kept >/var/file; ls -A /var'
$R -v vol:/etc:nocopy $IMAGE sh -c 'cat /etc/file'
$R -v vol:/here $IMAGE ls -A /here
$R -v vol:/new/path/below $IMAGE ls -Ad /new/path/below
$R --mount type=volume,src=vol,dst=/v,volume-nocopy,readonly $IMAGE sh -c 'cat /v/file; touch /v/no'
$D volume rm vol
$R --tmpfs /scratch $IMAGE sh -c 'grep " /scratch " /proc/self/mountinfo | cut -d" " -f4-'
$R --tmpfs /scratch:size=1m,mode=700,uid=7,exec $IMAGE sh -c 'grep " /scratch " /proc/self/mountinfo | cut -d" " -f4-; stat -c %a,%u /scratch'
$R --tmpfs /etc $IMAGE ls -A /etc
$R --mount type=tmpfs,dst=/s,tmpfs-size=2m,tmpfs-mode=1770 $IMAGE sh -c 'stat -c %a /s; grep " /s " /proc/self/mountinfo | cut -d" " -f4-'
$R --shm-size 5m $IMAGE sh -c 'grep /dev/shm /proc/self/mountinfo | cut -d" " -f4-'
$R $IMAGE sh -c 'cut -d" " -f5- /proc/self/mountinfo | grep -v /sys/fs/cgroup | sed -E "s/r[ow],.*-/-/; s/overlay.*//; s/ - ext4.*//; s/(mask|keys|timer|acpi|firmware|sysfs).*//" | sort'
$R --read-only $IMAGE sh -c 'touch /file; touch /dev/shm/x; touch /tmp/x; cut -d" " -f5,6 /proc/self/mountinfo | grep -vE "cgroup|/proc/(keys|timer_list)" | cut -d, -f1 | sort'
$R --read-only --tmpfs /run -v "$PWD/tree:/w" $IMAGE sh -c 'touch /run/x /w/x; ls /run /w'
$R -v "$PWD/tree:/tree" -v "$PWD/single:/tree/sub/one" $IMAGE ls -A /tree/sub
$R -v /etc/hostname:/no/such/dir/file $IMAGE stat -c %F,%a /no/such/dir /no/such/dir/file
$R -v "$PWD/tree:/proc/tree" $IMAGE true 2>/dev/null
ln -sf /etc evil; $R -v "$PWD/evil:/evil" $IMAGE stat -c %F /evil
$D ps -a -q

# Docker: who it is
$R --user 1234 $IMAGE id
$R --user 1234:5678 --group-add 99 --group-add nogroup $IMAGE id
$R --user nobody $IMAGE sh -c 'id; echo $HOME; grep -E "Cap|Groups" /proc/self/status'
$R --user nobody --cap-add NET_RAW $IMAGE grep Cap /proc/self/status
$R --cap-add SYS_ADMIN --cap-add NET_ADMIN $IMAGE grep Cap /proc/self/status
$R --cap-drop CHOWN --cap-drop KILL $IMAGE grep Cap /proc/self/status
$R --cap-drop ALL --cap-add KILL $IMAGE grep Cap /proc/self/status
$R --cap-add NOPE $IMAGE true
$R --security-opt no-new-privileges $IMAGE grep -E 'NoNewPrivs|Seccomp:' /proc/self/status
$R --security-opt no-new-privileges --user nobody $IMAGE grep -E 'NoNewPrivs|Seccomp:|Cap' /proc/self/status
$R --hostname box --domainname example.org $IMAGE sh -c 'hostname; cat /proc/sys/kernel/domainname; tail -1 /etc/hosts | cut -f2'
$R --oom-score-adj 321 $IMAGE cat /proc/self/oom_score_adj
$R --ulimit nofile=100:200 --ulimit core=0 --ulimit nproc=50 $IMAGE sh -c 'grep -E "open files|core|processes" /proc/self/limits'
$R $IMAGE cat /proc/self/limits
$R --sysctl net.ipv4.ip_forward=0 --sysctl kernel.msgmax=5000 $IMAGE cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax
$R --sysctl kernel.panic=1 $IMAGE true 2>/dev/null
$R --init $IMAGE sh -c 'cat /proc/1/comm; tr "\0" " " </proc/1/cmdline'
$R --userns host $IMAGE cat /proc/self/uid_map
$R -e HOME=/elsewhere $IMAGE sh -c 'echo $HOME; umask; env | sort'
$R $IMAGE sh -c 'ls -l /proc/self/fd | awk "NR>1 {print \$9}"; cat /proc/self/status | grep -E "Sig(Blk|Ign|Cgt)"; cat /proc/self/personality 2>/dev/null'
$R $IMAGE cat /proc/self/status | grep -E '^(Umask|State|Uid|Gid|Groups|Seccomp|Cap|NoNew|Speculation|Shd|Sig[BIC])'

# Docker: privileged (needs all capabilities)
$R --cap-add ALL $IMAGE grep Cap /proc/self/status
$R --privileged $IMAGE grep -E 'Cap|Seccomp:|NoNewPrivs' /proc/self/status
$R --privileged $IMAGE sh -c 'ls /dev | grep -vE "^(pts|fd|core|std|ptmx|shm|mqueue)" | sort; touch /proc/sys/kernel/hostname; mount -t tmpfs t /tmp && echo mounted'
$R --privileged $IMAGE sh -c 'cut -d" " -f5,6 /proc/self/mountinfo | grep -v unified | sort'
$R --device /dev/zero --privileged $IMAGE stat -c %F /dev/zero
$D run -d --name one $IMAGE sleep 1000
$D exec --privileged one grep CapEff /proc/self/status
$D rm -f one
$RUN --rm --privileged --net-host --user 7:8 $NAME one sh -c 'id; ip -o link | wc -l; grep CapBnd /proc/self/status'

# Docker: seccomp
$R $IMAGE sh -c 'unshare -U true; mkdir /x; mount --bind /x /x; echo $?'
$R --security-opt seccomp=unconfined $IMAGE grep Seccomp: /proc/self/status
echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}' >profile; $R --security-opt seccomp=profile $IMAGE sh -c 'mkdir /x; grep Seccomp: /proc/self/status'
echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_KILL"}]}' >profile; $R --security-opt seccomp=profile $IMAGE mkdir /x
echo '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[]}' >profile; $R --security-opt seccomp=profile $IMAGE true 2>/dev/null
echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["kill"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":10,"op":"SCMP_CMP_EQ"}]}]}' >profile; $R --security-opt seccomp=profile $IMAGE bash -c 'kill -USR1 1; kill -CONT 1 && echo fine'
echo '{"defaultAction":"NOPE"}' >profile; $R --security-opt seccomp=profile $IMAGE true 2>/dev/null
$R --security-opt seccomp=no-such-file $IMAGE true

# Docker: namespaces
$D run -d --name one --hostname first --ipc shareable $IMAGE sleep 1000
$D run --rm --network none $IMAGE sh -c 'ip -o link | cut -d: -f2; ip route'
$D run --rm --network host $IMAGE sh -c 'hostname; ip -o link | cut -d: -f2 | grep -E "lo|docker0"'
$D run --rm --network container:one $IMAGE hostname
$D run --rm --pid container:one $IMAGE sh -c 'cat /proc/1/comm; ps -e -o comm'
$D run --rm --pid host $IMAGE sh -c 'ps -e -o comm | grep -c dockerd; echo $$ | grep -c "^1$"'
$D run --rm --ipc container:one $IMAGE sh -c 'touch /dev/shm/shared'
$D exec one ls /dev/shm
$D run --rm --ipc host $IMAGE sh -c 'grep /dev/shm /proc/self/mountinfo | cut -d" " -f4-6'
$D run --rm --ipc none $IMAGE sh -c 'grep -c /dev/shm /proc/self/mountinfo'
$D run --rm --ipc private $IMAGE ls -A /dev/shm
$D run --rm --uts host $IMAGE hostname | wc -l
[ "$($D run --rm --uts host $IMAGE readlink /proc/self/ns/uts)" = "$(readlink /proc/self/ns/uts)" ] && echo same
[ "$($D run --rm --net host $IMAGE readlink /proc/self/ns/net)" = "$(readlink /proc/self/ns/net)" ] && echo same
[ "$($D run --rm --ipc host $IMAGE readlink /proc/self/ns/ipc)" = "$(readlink /proc/self/ns/ipc)" ] && echo same
[ "$($D run --rm --pid host $IMAGE readlink /proc/self/ns/pid)" = "$(readlink /proc/self/ns/pid)" ] && echo same
$D run -d --name pids --pid host $IMAGE sh -c 'sleep 1001 & sleep 1002 & wait'
$D kill pids
$D rm -f pids one
pgrep -f 'sleep 100[12]'

# Docker: published ports
$D run -d --name server -p 127.0.0.1:8080:80 $IMAGE perl -e '$|=1; socket(S,2,1,0); bind(S,pack("Sna4x8",2,80,"")); listen(S,5); print "ready\n"; while (accept(C,S)) { syswrite(C,"hello\n"); close(C) }'
until $D logs server | grep -q ready; do sleep 0.1; done
$D port server
cat </dev/null; bash -c 'cat </dev/tcp/127.0.0.1/8080'
$D network create net
$D network connect net server
$D exec server sh -c 'ip -o link | grep -c eth'
$D run --rm --network net $IMAGE sh -c 'getent hosts server | wc -l; bash -c "cat </dev/tcp/server/80"'
$D network disconnect net server
$D exec server sh -c 'ip -o link | grep -c eth'
$D restart -t 0 server
until [ "$($D logs server | grep -c ready)" = 2 ]; do sleep 0.1; done
bash -c 'cat </dev/tcp/127.0.0.1/8080'
$D rm -f server
$D network rm net

# Docker: devices
$R $IMAGE sh -c 'cd /dev; stat -c "%n %F %a %u %t,%T" * | sort'
$R --device /dev/fuse $IMAGE sh -c 'stat -c "%F %a %t,%T" /dev/fuse; head -c 0 /dev/fuse; echo $?'
$R --device /dev/zero:/dev/nought:r $IMAGE sh -c 'head -c 2 /dev/nought | wc -c; echo >/dev/nought; ls -l /dev/nought | cut -c1-10'
$R --device /dev/loop-control:/dev/loop-control:m $IMAGE sh -c 'head -c 0 /dev/loop-control'
$R --device-cgroup-rule 'c 1:11 rwm' $IMAGE sh -c 'mknod /dev/kmsg c 1 11; head -c 0 /dev/kmsg; echo $?'
$R $IMAGE sh -c 'mknod /dev/kmsg c 1 11; head -c 0 /dev/kmsg; echo $?'
$R $IMAGE sh -c 'mknod /x b 7 200; head -c 0 /x; cat /sys/fs/cgroup/devices/devices.list 2>/dev/null | sort'
$R --device /no/such $IMAGE true 2>/dev/null

# Docker: build
mkdir context; echo hello >context/file; printf 'FROM default\nRUN echo built >/made; adduser 2>/dev/null; id -u\nWORKDIR /work\nCOPY file .\nENV A=b\nRUN pwd; cat file; echo $A; hostname | wc -c\nUSER nobody\nRUN id -un; touch /no 2>/dev/null || true\nSHELL ["bash","-c"]\nRUN [[ 1 = 1 ]] && echo bash\nENTRYPOINT ["cat"]\nCMD ["/made"]\n' >context/Dockerfile
$D build -t built context | grep -v -e '--->' -e '^Removing' -e '^Successfully built'
$D run --rm built
$D run --rm built file
printf 'FROM default\nRUN exit 7\n' >context/Dockerfile; $D build context | tail -1
printf 'FROM default\nRUN ["nope"]\n' >context/Dockerfile; $D build context >/dev/null 2>&1
printf 'FROM default\nHEALTHCHECK --interval=200ms CMD test -e /tmp/well\nCMD sleep 1000\n' >context/Dockerfile; $D build -q -t health context >/dev/null; $D run -d --name health health; $D exec health touch /tmp/well; until [ "$($D inspect -f '{{.State.Health.Status}}' health)" = healthy ]; do sleep 0.1; done; $D rm -f health
$D container prune -f >/dev/null; $D rmi -f built health >/dev/null; $D image prune -f >/dev/null; $D images -q | wc -l

# Docker: cp, diff, commit, attach
$D run -d --name one -v "$PWD:/mounted" $IMAGE sleep 1000
echo in >in; $D cp in one:/tmp/in; $D exec one cat /tmp/in
$D exec one sh -c 'echo out >/tmp/out'; $D cp one:/tmp/out - | tar -xO
$D cp one:/mounted/in copied; cat copied
$D cp in one:/mounted/through; cat through
$D cp in one:/dev/shm/x
$D exec one ls /dev/shm
$D diff one | sort
$D commit one made >/dev/null; $R made cat /tmp/out; $D rmi made >/dev/null
$D rename one two; $D exec two cat /tmp/in
$D stop -t 0 two; $D cp two:/tmp/in -  | tar -xO
$D rm two
(sleep 0.5; echo attached) | $D run -i --name att $IMAGE cat; $D logs att; $D rm att
$D create --name made -i $IMAGE sh -c 'read x; echo got $x'; echo word | $D start -ai made; $D rm made

# Docker: the option --runtime
$D run --rm --runtime other $IMAGE echo named
$D run --rm --runtime nope $IMAGE true
$D info -f '{{.DefaultRuntime}}'

# Docker: nothing is left
$D ps -a -q
until ! pgrep -f '[c]ontainerd-shim.* -namespace moby' >/dev/null; do sleep 0.1; done
ls -A $ENGINE/runtime-*/moby $ENGINE/containerd/daemon/io.containerd.runtime.v2.task/moby 2>/dev/null | grep -v '^/\|^$' || true
find /sys/fs/cgroup -path "*/$GROUP/*" -type d | grep -vE '/deep(/er)?$' | sort
grep overlay2 /proc/self/mountinfo | cut -d' ' -f5

# containerd: run
$CTR image import $TAR >/dev/null; $CTR image ls -q
$RUN --rm $NAME one echo hello
$RUN --rm $NAME one sh -c 'echo out; echo err >&2; exit 3'
$RUN --rm $NAME one nope 2>/dev/null
$RUN --rm $NAME one sh -c 'id; pwd; hostname | wc -l; grep Cap /proc/self/status; ip -o link | cut -d: -f2'
script -qec "$RUN --rm -t $NAME one sh -c 'tty; stty size; exit 4'" /dev/null </dev/null
$RUN --rm --memory-limit 50000000 --cpus 0.5 $NAME one sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us'
$RUN --rm $NAME one sed -E 's/^[0-9]*://' /proc/self/cgroup | sort
$RUN --rm --read-only --env A=b --cwd /tmp --mount type=bind,src=/etc,dst=/host,options=rbind:ro $NAME one sh -c 'echo $A; pwd; touch /x; touch /host/x'
$RUN --rm --no-pivot $NAME one pwd
$RUN --rm --seccomp $NAME one grep Seccomp: /proc/self/status

# containerd: a task
$RUN -d $NAME two sh -c 'trap "exit 5" USR1; while :; do sleep 0.1; done'
$CTR task ls | awk '{print $1, $3}'
$CTR task exec --exec-id e two echo more
$CTR task exec --exec-id e two sh -c 'exit 6'
$CTR task exec --exec-id e --user 5:6 --cwd /tmp two sh -c 'id; pwd'
$CTR task exec --exec-id e two nope 2>/dev/null
script -qec "$CTR task exec -t --exec-id e two tty" /dev/null </dev/null | grep pts
$CTR task exec -d --exec-id f two sleep 1000
$CTR task ps two | wc -l
$CTR task pause two
$CTR task ls | awk '{print $1, $3}'
$CTR task exec --exec-id e two true 2>/dev/null
$CTR task resume two
$CTR task metrics two | awk '{print $1}' | sort
$CTR task metrics two | awk '/pids.current/ {print $2}'
$CTR task kill --exec-id f two
$CTR task kill -s USR1 two
until $CTR task ls | grep -q STOPPED; do sleep 0.1; done
$CTR task delete two
$CTR container rm two
$CTR container ls -q; $CTR task ls -q

# containerd: nothing is left
until ! pgrep -f '[c]ontainerd-shim.* -namespace default' >/dev/null; do sleep 0.1; done
ls -A /run/containerd/runc/default /run/ctr/io.containerd.runtime.v2.task/default 2>/dev/null | grep -v '^/\|^$' || true
find /sys/fs/cgroup -path "*/$GROUP/*" -type d | grep -vE '/deep(/er)?$' | sort
