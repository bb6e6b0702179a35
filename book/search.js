// mdBook's search loads an index, which is several times as large as the pages, and knows only whole words. This one reads
// the pages themselves when somebody searches for the first time, and finds any text: `--cap-add`, or half of a message.
// The diffs are left out. The elements on the page are mdBook's own.
(() => {
    const [toggle, wrapper, bar, outer, header, list] =
        ['search-toggle', 'search-wrapper', 'searchbar', 'searchresults-outer', 'searchresults-header', 'searchresults']
            .map(id => document.getElementById(`mdbook-${id}`));
    const SHOWN = 30, AROUND = 70;
    let sections;
    window.search = { hasFocus: () => document.activeElement === bar };

    // A page's sections, each with its address.
    async function read(page) {
        const answer = await fetch(page);
        const main = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main');
        const found = [];
        for (const element of main.children) {
            const text = element.textContent.replace(/\s+/g, ' ').trim();
            if (/^H[1-4]$/.test(element.tagName)) {
                found.push({ title: text, address: `${page}#${element.id}`, text: '' });
            } else if (found.length) {
                found.at(-1).text += `${text} `;
            }
        }
        found.forEach(section => { section.page = found[0].title; });
        return found;
    }

    function readAll() {
        const links = Array.from(document.querySelectorAll('#mdbook-sidebar a[href]'), link => link.href.split('#')[0]);
        const pages = new Set(links.filter(link => link.startsWith('http') && !link.includes('/whole/')));
        return Promise.all(Array.from(pages, read)).then(all => all.flat());
    }

    // Every word has to be there. What is in a title counts for more, and so does the entire phrase.
    function find(all, phrase) {
        const words = phrase.split(' ');
        const score = section => {
            const title = section.title.toLowerCase(), text = section.text.toLowerCase();
            if (!words.every(word => title.includes(word) || text.includes(word))) return 0;
            return 1 + 4 * title.includes(phrase) + 2 * text.includes(phrase) + words.every(word => title.includes(word));
        };
        const scored = all.map(section => ({ section, score: score(section) })).filter(found => found.score);
        return scored.sort((a, b) => b.score - a.score).map(found => found.section);
    }

    // The text around the first hit, with all hits in it marked. It is put together as text, never as HTML.
    function teaser(text, phrase) {
        const words = phrase.split(' '), lower = text.toLowerCase();
        const at = Math.max(0, lower.includes(phrase) ? lower.indexOf(phrase) : lower.indexOf(words[0]));
        const part = text.slice(Math.max(0, at - AROUND), at + phrase.length + AROUND);
        const marks = words.map(word => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
        const line = document.createElement('span');
        line.className = 'teaser';
        part.split(new RegExp(`(${marks})`, 'i')).forEach((piece, number) => {
            const node = document.createElement(number % 2 ? 'em' : 'span');
            node.textContent = piece;
            line.append(node);
        });
        return line;
    }

    function result(section, phrase) {
        const item = document.createElement('li'), link = document.createElement('a');
        link.href = section.address;
        link.textContent = section.title === section.page ? section.title : `${section.page} » ${section.title}`;
        item.append(link, teaser(section.text, phrase));
        return item;
    }

    async function search() {
        const phrase = bar.value.trim().toLowerCase().replace(/\s+/g, ' ');
        outer.classList.toggle('hidden', phrase.length < 2);
        if (phrase.length < 2) return;
        if (!location.protocol.startsWith('http')) {
            header.textContent = 'Files cannot be searched: start mdbook serve book, and open http://localhost:3000.';
            return;
        }
        sections ??= readAll();
        const all = await sections.catch(() => { sections = undefined; });
        // Somebody may have typed on meanwhile.
        if (phrase !== bar.value.trim().toLowerCase().replace(/\s+/g, ' ')) return;
        const found = all ? find(all, phrase) : [];
        header.textContent = all ? `${found.length || 'No'} results for "${phrase}"` : 'The pages cannot be read.';
        list.replaceChildren(...found.slice(0, SHOWN).map(section => result(section, phrase)));
    }

    function open(yes) {
        wrapper.classList.toggle('hidden', !yes);
        toggle.setAttribute('aria-expanded', yes);
        if (yes) bar.select();
    }

    toggle.addEventListener('click', () => open(wrapper.classList.contains('hidden')));
    bar.addEventListener('input', search);
    bar.closest('form').addEventListener('submit', event => event.preventDefault());
    document.addEventListener('keydown', event => {
        if (event.altKey || event.ctrlKey || event.metaKey) return;
        if (event.key === 'Escape') {
            open(false);
        } else if (['s', 'S', '/'].includes(event.key) && !/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
            event.preventDefault();
            open(true);
        }
    });

    // A search has an address: index.html?search=capabilities.
    const asked = new URLSearchParams(location.search).get('search');
    if (asked) {
        open(true);
        bar.value = asked;
        search();
    }
})();
