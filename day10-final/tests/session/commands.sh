# A day's commands. $D is docker or tiny-docker. $IMAGE is an image made of tiny-docker's default root filesystem, which
# both have imported. $CONTAINER is the word "container" for docker, which can
# prune other things, too. Paragraphs that need root, or ids of other users, say so.

# Hello.
$D run --rm $IMAGE echo hello
$D run --rm $IMAGE sh -c 'echo out; echo err >&2; exit 3'
$D run --rm $IMAGE no-such-command
$D run --rm $IMAGE /etc/passwd
echo one two three | $D run --rm -i $IMAGE wc -w
echo ignored | $D run --rm $IMAGE wc -w
$D run --rm $IMAGE ps -e -o pid,args
$D run --rm -t $IMAGE tty
echo hello | $D run --rm -it $IMAGE cat

# Where it is, and what it knows.
$D run --rm $IMAGE hostname
$D run --rm --hostname web $IMAGE hostname
$D run --rm $IMAGE pwd
$D run --rm -w /srv/app $IMAGE pwd
$D run --rm -e FIRST=1 -e 'SECOND=two words' $IMAGE sh -c 'echo $FIRST, $SECOND'
FROM_HERE=here $D run --rm -e FROM_HERE -e NOT_SET $IMAGE sh -c 'echo $FROM_HERE, ${NOT_SET-not set}'
printf '# Colours\nLEAVES=green\nSKY=light blue\n' >colours
$D run --rm --env-file colours -e LEAVES=red $IMAGE sh -c 'echo $LEAVES, $SKY'
$D run --rm --env-file no-such-file $IMAGE true
$D run --rm --hostname box $IMAGE env | sort
$D run --rm --add-host db:10.1.2.3 $IMAGE grep -w db /etc/hosts

# What it may do.
$D run --rm $IMAGE grep Cap /proc/self/status
$D run --rm --cap-drop ALL $IMAGE grep CapEff /proc/self/status
$D run --rm $IMAGE mount -t tmpfs tmpfs /tmp 2>/dev/null
$D run --rm --read-only $IMAGE touch /file
$D run --rm --read-only --tmpfs /scratch $IMAGE sh -c 'echo kept >/scratch/file; cat /scratch/file'
mkdir data
$D run --rm -v "$PWD/data:/data" $IMAGE sh -c 'echo saved >/data/file'
cat data/file
$D run --rm -v "$PWD/data:/data:ro" $IMAGE touch /data/other

# As somebody else (needs ids).
$D run --rm -u nobody $IMAGE id -un
$D run --rm -u 1234:5678 $IMAGE id
$D run --rm -u nobody $IMAGE grep CapEff /proc/self/status
$D run --rm -u no-such-user $IMAGE true

# In the background.
$D run -d --name web $IMAGE sh -c 'trap "echo stopping; exit 0" TERM; echo started; echo ready; while :; do sleep 0.1; done'
until $D logs web | grep -q ready; do sleep 0.1; done
$D run --name web $IMAGE true
$D ps
$D ps -q
$D ps --no-trunc
$D logs web
$D logs --tail 1 web
$D exec web cat /proc/1/comm
$D exec -e WHO=me web sh -c 'echo $WHO'
$D exec -w /tmp web pwd
$D exec -w /no/such web pwd
$D exec web sh -c 'echo out; echo err >&2; exit 4'
$D exec web no-such-command
$D exec web /etc/passwd
$D exec -t web tty
echo typed | $D exec -i web cat
echo ignored | $D exec web wc -w
$D exec -d web touch /tmp/file
until $D exec web test -e /tmp/file; do sleep 0.1; done
$D rm web
$D stop web
$D ps
$D ps -a
$D exec web true
$D logs -f web
$D wait web
$D stop web
$D inspect web | grep -o '"ExitCode": [0-9]*'
$D inspect web | grep -o '"Status": "[a-z]*"'
$D rm web

# As somebody else, later (needs ids).
$D run -d --name other $IMAGE sleep 1000
$D exec -u nobody other id -un
$D rm -f other

# Signals.
$D run -d --name job $IMAGE sh -c 'trap "echo caught; exit 7" USR1; echo ready; while :; do sleep 0.1; done'
until $D logs job | grep -q ready; do sleep 0.1; done
$D kill -s USR1 job
$D wait job
$D logs job
$D run -d --name sleeper $IMAGE sleep 1000
$D kill sleeper
$D wait sleeper
$D kill sleeper
$D run -d --name stubborn $IMAGE sleep 1000
$D kill -s NOPE stubborn
$D stop -t 0 stubborn
$D ps -a
$D ps -a -q | wc -l
$D wait job stubborn
$D rm job no-such-container sleeper
$D rm -f stubborn
$D run -d --rm --name brief $IMAGE sleep 1000
$D rm -f brief
$D run -d --rm --name short $IMAGE true
until [ -z "$($D ps -a -q)" ]; do sleep 0.1; done
$D ps -a

# Slips.
$D stop nope
$D kill nope
$D rm nope
$D rm -f nope
$D logs nope
$D wait nope
$D exec nope true
$D inspect nope
$D nope
$D ps --nope
$D run --nope $IMAGE true
$D rm
$D run --name 'not legal' $IMAGE true
$D run --rm -v data:relative $IMAGE true

# Published (needs root).
$D run -d --name server -p 127.0.0.1:8080:80 -p 8053:53/udp $IMAGE perl -e '$|=1; socket(S,2,1,0); bind(S,pack("Sna4x8",2,80,"")); listen(S,5); print "ready\n"; while (accept(C,S)) { syswrite(C,"hello\n"); close(C) }'
until $D logs server | grep -q ready; do sleep 0.1; done
bash -c 'cat </dev/tcp/127.0.0.1/8080'
$D ps
$D run --rm --name late -p 127.0.0.1:8080:80 $IMAGE true
$D stats --no-stream server
$D rm -f server

# Limited (needs root).
$D run --name hog --memory 32m $IMAGE tail /dev/zero
$D inspect hog | grep -o '"OOMKilled": [a-z]*'
$D ps -a
$D rm hog
$D run --rm --memory 1k $IMAGE true
$D run --rm --memory lots $IMAGE true

# At the end of the day.
$D run --name done $IMAGE true
$D run --name missing $IMAGE no-such-command
$D ps -a
$D $CONTAINER prune -f
$D $CONTAINER prune -f
$D ps -a

# Images.
$D images
$D images -q | wc -l
$D images no-such-name
$D tag $IMAGE other
$D tag $IMAGE other:2
$D tag $IMAGE localhost:5000/team/other:3
$D images other
$D images other:2
$D history $IMAGE
$D history -q $IMAGE
$D tag no-such-image other
$D tag $IMAGE 'not legal'
$D rmi other
$D rmi other:2 no-such-image localhost:5000/team/other:3
$D rmi -f no-such-image
$D history no-such-image
$D inspect $IMAGE | grep -o '"RepoTags"'
$D run --rm no-such-registry.invalid/no/such:image
$D run --rm NotLegal true

# Archives.
$D run --name source $IMAGE sh -c 'echo kept >/kept; mkdir /made'
$D export source | tar -t | grep -E '^(kept|made/)' | sort
$D export source | $D import -c 'CMD ["cat", "/kept"]' -c 'ENV COLOUR=green' -c 'WORKDIR /made' -m 'By hand' - made:1
$D rm source
$D history made:1
$D run --rm made:1
$D run --rm made:1 sh -c 'pwd; echo $COLOUR'
$D run --rm --entrypoint pwd made:1
$D run --rm --entrypoint pwd -w / made:1
$D run --rm --entrypoint sh made:1 -c 'echo $0 $COLOUR'
$D save -o archive made:1
tar -xOf archive manifest.json | grep -o '"RepoTags":[^]]*]'
$D rmi made:1
$D run --rm --pull never made:1
$D load -i archive
$D load <archive
$D run --rm made:1
$D save no-such-image >/dev/null
$D load -i no-such-file

# Images and their containers.
$D run --name user made:1
$D ps -a
$D rmi made:1
$D tag made:1 made:2
$D rmi made:2
$D rmi $($D images -q made:1)
$D image prune -f
$D images made
$D rm user
$D run -d --name runner made:1 sleep 1000
$D rmi -f $($D images -q made:1)
$D rmi -f made:1
$D images
$D rm -f runner
$D image prune -f
$D image prune -f
$D tag $IMAGE made:3
$D image prune -a -f >/dev/null
$D images
