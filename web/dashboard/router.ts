/** Which page the address names: "#/", "#/run/ID", "#/report". */
import { useEffect, useState } from "preact/hooks";

export type Route =
  { readonly page: "runs" } | { readonly page: "run"; readonly id: string } | { readonly page: "report" };

function route(): Route {
  const [, page, id] = location.hash.split("/");
  if (page === "run" && id !== undefined) return { page, id };
  return page === "report" ? { page } : { page: "runs" };
}

export function useRoute(): Route {
  const [current, set] = useState(route);
  useEffect(() => {
    const listener = (): void => set(route());
    addEventListener("hashchange", listener);
    return () => removeEventListener("hashchange", listener);
  }, []);
  return current;
}
