/** How many columns a text takes in a terminal: wide letters, emoji, combining marks. */
export { default as stringWidth } from "npm:string-width@9.0.0";
