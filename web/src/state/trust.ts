/** A policy under which addresses of our own scripts pass Trusted Types; null where browsers know none. */
interface Policy {
  createScriptURL(url: string): unknown
}
interface Factory {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): Policy
}

let policy: Policy | null = null

/** The address of a script of our own, as the browser wants it. Nothing of another origin passes. */
export function ownScript(path: string): string {
  const factory = (window as { trustedTypes?: Factory }).trustedTypes
  policy ??=
    factory?.createPolicy('zhucun', {
      createScriptURL(url) {
        if (new URL(url, location.href).origin !== location.origin) throw new TypeError(`not our own: ${url}`)
        return url
      },
    }) ?? null
  // A TrustedScriptURL stands where the types of the platform still say string.
  return policy ? (policy.createScriptURL(path) as string) : path
}
