// What a device that has joined still needs: a file that says who and where it is. Pure functions.

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
    "# Cameras of its network are found from the portal. For a webcam or a video, take these signs away:",
    "# cameras:",
    "#   - {name: door, source: 0}    # the number of a webcam, or the name of a video file",
  ].join("\n");
}
