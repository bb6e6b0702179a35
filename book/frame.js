// What mdBook writes into each page, only once: the theme and the sidebar's state, which have to be there before anything is
// shown, and those parts of theme/index.hbs that work only with scripts. book.js, mdBook's own, relies on these names.
const html = document.documentElement;
html.classList.add('js');

function remembered(key) {
    try {
        return localStorage.getItem(`mdbook-${key}`);
    } catch {
        return null; // The browser keeps nothing for this book.
    }
}

const default_theme = window.matchMedia('(prefers-color-scheme: dark)').matches ? default_dark_theme : default_light_theme;
html.classList.replace(default_light_theme, remembered('theme') ?? default_theme);

// There is room for the sidebar, and nobody has closed it.
const sidebar = window.innerWidth >= 1080 && remembered('sidebar') !== 'hidden';
html.classList.toggle('sidebar-visible', sidebar);

// Code blocks have a button that copies them.
window.playground_copyable = true;

// The colours of code, which only a script puts there.
for (const [id, file] of [
    ['mdbook-highlight-css', '{{ resource "highlight.css" }}'],
    ['mdbook-tomorrow-night-css', '{{ resource "tomorrow-night.css" }}'],
    ['mdbook-ayu-highlight-css', '{{ resource "ayu-highlight.css" }}'],
]) {
    const sheet = document.createElement('link');
    document.head.append(Object.assign(sheet, { id, rel: 'stylesheet', href: path_to_root + file }));
}

const frame = {
    sidebar() {
        document.getElementById('mdbook-sidebar-toggle-anchor').checked = sidebar;
    },

    menu() {
        const get = id => document.getElementById(`mdbook-${id}`);
        get('menu-bar').querySelector('.left-buttons').innerHTML = `
            <label id="mdbook-sidebar-toggle" class="icon-button" for="mdbook-sidebar-toggle-anchor"
                title="Toggle table of contents" aria-label="Toggle table of contents"
                aria-controls="mdbook-sidebar"><svg viewBox="0 0 16 16"><path d="M1 3h14M1 8h14M1 13h14"/></svg></label>
            <button id="mdbook-theme-toggle" class="icon-button" type="button" title="Change theme"
                aria-label="Change theme" aria-haspopup="true" aria-expanded="false"
                aria-controls="mdbook-theme-list"><svg viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"/>
                <path d="M8 2a6 6 0 0 1 0 12zv-12" fill="currentColor"/></svg></button>
            <ul id="mdbook-theme-list" class="theme-popup" aria-label="Themes" role="menu"></ul>
            <button id="mdbook-search-toggle" class="icon-button" type="button" title="Search (/)"
                aria-label="Toggle search bar" aria-expanded="false" aria-keyshortcuts="/ s"
                aria-controls="mdbook-searchbar"><svg viewBox="0 0 16 16"><circle cx="6.5" cy="6.5" r="5"/><path d="M10 10l5 5"/></svg></button>`;
        get('sidebar').insertAdjacentHTML('beforeend', `<div id="mdbook-sidebar-resize-handle" class="sidebar-resize-handle">
            <div class="sidebar-resize-indicator"></div></div>`);
        get('sidebar-toggle').setAttribute('aria-expanded', sidebar);
        get('sidebar').setAttribute('aria-hidden', !sidebar);
        get('sidebar').querySelectorAll('a').forEach(link => { link.tabIndex = sidebar ? 0 : -1; });
        const themes = { default_theme: 'Auto', light: 'Light', rust: 'Rust', coal: 'Coal', navy: 'Navy', ayu: 'Ayu' };
        get('theme-list').innerHTML = Object.entries(themes).map(([id, name]) =>
            `<li role="none"><button role="menuitem" class="theme" id="mdbook-theme-${id}">${name}</button></li>`).join('\n');
        get('search-wrapper').innerHTML = `
            <form id="mdbook-searchbar-outer" class="searchbar-outer"><div class="search-wrapper">
                <input type="search" id="mdbook-searchbar" name="searchbar" placeholder="Search this book ..."
                    aria-controls="mdbook-searchresults-outer" aria-describedby="mdbook-searchresults-header">
            </div></form>
            <div id="mdbook-searchresults-outer" class="searchresults-outer hidden">
                <div id="mdbook-searchresults-header" class="searchresults-header"></div>
                <ul id="mdbook-searchresults"></ul>
            </div>`;
        get('help-popup').innerHTML = `
            <h2 class="mdbook-help-title">Keyboard shortcuts</h2>
            <p>Press <kbd>←</kbd> or <kbd>→</kbd> to navigate between chapters</p>
            <p>Press <kbd>S</kbd> or <kbd>/</kbd> to search in the book</p>
            <p>Press <kbd>?</kbd> to show this help</p>
            <p>Press <kbd>Esc</kbd> to hide this help</p>`;
    },

    // Where there is room, the links to the neighbours stand beside the text.
    neighbours() {
        for (const link of document.querySelectorAll('.nav-wrapper a')) {
            const copy = link.cloneNode(true);
            copy.classList.replace('mobile-nav-chapters', 'nav-chapters');
            copy.title = link.getAttribute('aria-label');
            document.querySelector('.nav-wide-wrapper').append(copy);
        }
    },
};
