/** The parser of ssh_config files; its evaluation is not OpenSSH's and is not used. */
export { default as SshConfig, LineType } from "npm:ssh-config@5.3.0";
