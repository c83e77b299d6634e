// What a camera that has joined still needs: a file that says where its pictures come from. Pure functions.

/** The address under which the camera knows the cloud, out of the command that lets it join. */
export const cloudOf = (command) => /--cloud (\S+)/.exec(command)?.[1] ?? "";

/** The file agent.yaml of a camera that joined without one; names are quoted, for one of digits only is a number to YAML. */
export function configOf({ name, profile }, url) {
  return [
    `device: "${name}"`,
    `profile: "${profile}"`,
    "state_dir: elfowl-state",
    "cloud:",
    `  url: "${url}"`,
    "cameras:",
    "  - name: door",
    '    source: "rtsp://USER:PASSWORD@ADDRESS/stream"',
  ].join("\n");
}
