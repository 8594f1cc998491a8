// The theme that was chosen here, if one was: the system's otherwise. A browser may forbid its storage.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {}
