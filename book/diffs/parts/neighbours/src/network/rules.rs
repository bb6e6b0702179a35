//! Reading nft's list of rules: nft(8). Whoever has added rules finds out here whether they are still there.

/// Whether each chain has at least as many lines in nft's list as in `table`. (nft words some lines differently.)
pub fn is_there(list: &str, table: &str) -> bool {
    let (there, ours) = (in_chains(list), in_chains(table));
    let count = |lines: &[(String, &str)], chain: &String| {
        lines.iter().filter(|(of, _)| of == chain).count()
    };
    let all_of = |(chain, _): &(String, &str)| count(&there, chain) >= count(&ours, chain);
    ours.iter().all(all_of)
}

/// The lines of nft's list, each with its chain, for example "ip filter FORWARD".
pub fn in_chains(list: &str) -> Vec<(String, &str)> {
    let (mut table, mut chain, mut lines) = ("", "", Vec::new());
    for line in list.lines().map(str::trim) {
        let name = line.split(" {").next().unwrap_or(line);
        if let Some(name) = name.strip_prefix("table ") {
            (table, chain) = (name, "");
        } else if let Some(name) = name.strip_prefix("chain ") {
            chain = name;
        } else if line == "}" {
            chain = "";
        } else if !table.is_empty() && !line.is_empty() {
            lines.push((format!("{table} {chain}"), line));
        }
    }
    lines
}
