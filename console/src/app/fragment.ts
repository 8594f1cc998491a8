// A token that a link carries behind its `#`, which browsers send to nobody.

/** Takes it out of the address, so that it is neither in the history nor over somebody's shoulder. */
export function takeToken(): string {
  const token = decodeURIComponent(location.hash.slice(1));
  if (token !== "") history.replaceState(history.state, "", location.pathname + location.search);
  return token;
}
