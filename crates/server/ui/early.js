// Sets the chosen theme before the first paint, so that nothing flashes. The rest of it is in theme.js.
try {
  const chosen = localStorage.getItem('glassbox.theme');
  if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is refused: the system's theme is used.
}
