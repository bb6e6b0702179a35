//! What the help ends with: lines to copy. A test types all of them.

// ANCHOR: examples
pub const ALL: &str = "\
Examples:
  tiny-docker run -it --rm sh     # a shell in a throwaway container
  tiny-docker run -d --name web sh -c 'while date; do sleep 1; done'
  tiny-docker logs -f web         # follow its output
  tiny-docker exec -it web sh     # look around inside
  tiny-docker rm -f web

Run 'tiny-docker COMMAND --help' for more examples, and 'tiny-docker info' to see what this host supports.";

pub const RUN: &str = "\
Examples:
  tiny-docker run -it --rm sh
  tiny-docker run --rm -v $PWD:/work:ro -w /work ls
  tiny-docker run --rm --memory 128m --cpus 0.5 --pids-limit 64 -e NAME=value env
  tiny-docker run --rm --net isolated --read-only --tmpfs /tmp --cap-drop ALL id
  tiny-docker run -it --rm alpine
  tiny-docker run -d --name web -p 8080:80 nginx
  tiny-docker run -d --name web -p 8080:80 --rootfs DIR nginx -g 'daemon off;'";
// ANCHOR_END: examples

pub const EXEC: &str = "\
Examples:
  tiny-docker exec -it web sh
  tiny-docker exec -w /etc web cat passwd
  tiny-docker exec -i web sh -c 'cat >/tmp/copy' </etc/hosts";

pub const PS: &str = "\
Examples:
  tiny-docker ps
  tiny-docker ps -a
  tiny-docker ps --format json | jq -r .Names
  tiny-docker rm -f $(tiny-docker ps -aq)     # remove all containers";

pub const INSPECT: &str = "\
Examples:
  tiny-docker inspect web
  tiny-docker inspect web | jq -r '.[0].NetworkSettings.IPAddress'";

pub const STATS: &str = "\
Examples:
  tiny-docker stats --no-stream
  tiny-docker stats --no-stream --format json web | jq -r .MemUsage";

pub const LOGS: &str = "\
Examples:
  tiny-docker logs web
  tiny-docker logs -f web | grep :00
  tiny-docker logs -n 5 web       # the last five lines";

pub const STOP: &str = "\
Examples:
  tiny-docker stop web
  tiny-docker stop -t 1 web       # wait one second, then send SIGKILL";

pub const RM: &str = "\
Examples:
  tiny-docker rm web
  tiny-docker rm -f web           # even if it is running";

pub const KILL: &str = "\
Examples:
  tiny-docker kill -s HUP web     # many programs then reload their configuration
  tiny-docker kill web";

pub const WAIT: &str = "\
Examples:
  tiny-docker wait web
  tiny-docker wait $(tiny-docker run -d sh -c 'exit 3')     # prints 3";

pub const PRUNE: &str = "\
Examples:
  tiny-docker prune
  tiny-docker prune -f";

pub const INFO: &str = "\
Examples:
  tiny-docker info";

pub const COMPLETION: &str = "\
Examples:
  source <(tiny-docker completion bash)      # for the current shell
  mkdir -p ~/.local/share/bash-completion/completions && \
tiny-docker completion bash >~/.local/share/bash-completion/completions/tiny-docker
  mkdir -p ~/.zfunc && tiny-docker completion zsh >~/.zfunc/_tiny-docker
  mkdir -p ~/.config/fish/completions && tiny-docker completion fish >~/.config/fish/completions/tiny-docker.fish

For zsh, ~/.zshrc must contain this line before compinit: fpath=(~/.zfunc $fpath)";

pub const PULL: &str = "\
Examples:
  tiny-docker pull alpine
  tiny-docker pull -q debian:bookworm-slim
  tiny-docker pull ghcr.io/project/program:1.0";

pub const IMAGES: &str = "\
Examples:
  tiny-docker images
  tiny-docker images alpine       # all tags of a name
  tiny-docker images --digests";

pub const TAG: &str = "\
Examples:
  tiny-docker tag alpine alpine:before
  tiny-docker tag alpine localhost:5000/base";

pub const HISTORY: &str = "\
Examples:
  tiny-docker history alpine
  tiny-docker history --no-trunc alpine";

pub const RMI: &str = "\
Examples:
  tiny-docker rmi alpine
  tiny-docker rmi -f alpine       # even if a stopped container was made from it
  tiny-docker rmi alpine debian:bookworm-slim";

pub const LOAD: &str = "\
Examples:
  tiny-docker load <images.tar
  tiny-docker load -i images.tar
  docker save alpine | tiny-docker load";

pub const SAVE: &str = "\
Examples:
  tiny-docker save alpine >alpine.tar
  tiny-docker save -o images.tar alpine debian:bookworm-slim";

pub const IMPORT: &str = "\
Examples:
  tiny-docker import rootfs.tar base
  tiny-docker export web | tiny-docker import -c 'CMD [\"sh\"]' - copy";

pub const EXPORT: &str = "\
Examples:
  tiny-docker export web >web.tar
  tiny-docker export web | tar -t";

pub const LOGIN: &str = "\
Examples:
  tiny-docker login
  tiny-docker login -u reader --password-stdin registry.example.com <password";

pub const LOGOUT: &str = "\
Examples:
  tiny-docker logout
  tiny-docker logout registry.example.com";

pub const IMAGE: &str = "\
Examples:
  tiny-docker image ls
  tiny-docker image prune -a      # remove all images without a container";

pub const IMAGE_PRUNE: &str = "\
Examples:
  tiny-docker image prune
  tiny-docker image prune -a -f   # even those with a name, and without asking";

pub const SYSTEM: &str = "\
Examples:
  tiny-docker system df
  tiny-docker system prune";

pub const DF: &str = "\
Examples:
  tiny-docker system df
  tiny-docker system df -v        # each image, and each container";
