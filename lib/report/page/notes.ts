import { type Html, html } from "../html.ts";
import { keptChars, keptInAllChars } from "../output_keeper.ts";

/** What a reader of the page should know about it. */
export function notesPart(version: string): Html {
  const kib = keptChars / 1024;
  return html`
    <footer id="notes">
      <h2>Notes</h2>
      <ul>
        <li>Of each output the first and the last ${kib} KiB are kept, and a note stands where lines were left out. When outputs that
    differ come to more than ${keptInAllChars / 1024 /
      1024} MiB together, only the ends of those that went well are kept.</li>
        <li>Control sequences and marks that turn text around are left out of everything that hosts sent.</li>
        <li>The page loads nothing and runs no script. Written by Carpool ${version}.</li>
      </ul>
    </footer>
  `;
}
