//! The shells complete the names of images, too. The scripts go below those for containers, which explain why names are
//! filtered.

// ANCHOR: bash
/// In a name like alpine:3.20, bash begins a new word after the colon. What is typed before it must not be repeated,
/// and no option can follow it.
pub const IN_BASH: &str = r#"
_tiny_docker_images() {
    _tiny_docker_containers "$@"
    local word image of= found= typed=${COMP_LINE:0:COMP_POINT}
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$of$word" in
            image) of=image- ;;
            history | images | inspect | rmi | run | save | tag) found=1 && break ;;
            image-history | image-inspect | image-ls | image-rm | image-save | image-tag) found=1 && break ;;
            exec | export | kill | logs | rm | stats | stop | wait) return ;;
        esac
    done
    [[ $found ]] || return
    case "$word $3" in VALUES) return ;; esac
    typed=${typed##*[[:space:]]}
    [[ $typed == *"$2" ]] || typed=$2
    [[ $typed == *:"$2" ]] && COMPREPLY=()
    while read -r image; do
        [[ $image == "$typed"* ]] && COMPREPLY+=("${image#"${typed%"$2"}"}")
    done < <(tiny-docker images 2>/dev/null | IMAGES)
}
complete -F _tiny_docker_images -o nosort -o bashdefault -o default tiny-docker
"#;
// ANCHOR_END: bash

pub const IN_ZSH: &str = r#"
_tiny-docker_images() {
    local -a images
    images=(${(f)"$(tiny-docker images 2>/dev/null | IMAGES)"})
    compadd -- $images
}

_tiny-docker_both() {
    _tiny-docker_containers
    _tiny-docker_images
}

_tiny-docker_first() {
    if (( CURRENT == 1 )); then _tiny-docker_images; else _default; fi
}
"#;

pub const IN_FISH: &str = r#"
function __tiny_docker_images
    tiny-docker images 2>/dev/null | IMAGES
end
complete -c tiny-docker -n "__fish_tiny_docker_using_subcommand history images inspect rmi run save tag" -f -a "(__tiny_docker_images)"
complete -c tiny-docker -n "__fish_tiny_docker_using_subcommand image; and __fish_seen_subcommand_from history inspect ls rm save tag" -f -a "(__tiny_docker_images)"
"#;

// ANCHOR: names
/// Takes the place of IMAGES: it extracts names and ids from the table that `images` prints.
pub const NAMES: &str = r#"awk 'NR > 1 { print $2 == "latest" ? $1 : $1 ":" $2; print $3 }' | env LC_ALL=C grep -x '[A-Za-z0-9][A-Za-z0-9_.:/-]*'"#;
// ANCHOR_END: names

/// What completes an argument in zsh, by how the script calls the argument.
pub const FOR_ZSH: [(&str, &str); 6] = [
    ("*::images", "_tiny-docker_images"),
    (":image", "_tiny-docker_images"),
    (":source", "_tiny-docker_images"),
    ("::name -- Only images", "_tiny-docker_images"),
    ("*::command -- An image", "_tiny-docker_first"),
    ("*::ids -- Names or ids", "_tiny-docker_both"),
];
