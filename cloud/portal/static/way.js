// Where to go after logging in. Pure functions.

/** The page of ours that `?next=` names, else the first one; never a page of another site. */
export function wayBack(search) {
  const next = new URLSearchParams(search).get("next") ?? "/";
  // "//host" and "/\host" are other sites for a browser.
  return /^\/(?![/\\])/.test(next) && !/[\u0000-\u001f]/.test(next) ? next : "/";
}

/** The address of the login page that leads back to where one is. */
export const wayIn = (path, search) => (path === "/" ? "/login" : `/login?next=${encodeURIComponent(path + search)}`);
