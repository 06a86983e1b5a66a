import { formatDuration } from "../../base/format_duration.ts";
import { type Html, html } from "../html.ts";
import { type Ledger, newSshRoundTrips, sharedRoundTrips } from "../ledger.ts";
import { plural } from "../run_words.ts";

/** What sharing the connections saved, and how that is reckoned. */
export function ledgerPart(ledger: Ledger): Html {
  return html`<section id="ledger" aria-labelledby="ledger-head">
<h2 id="ledger-head">Handshake ledger</h2>
${ledger.hosts === 0 ? html`<p class="calm">No host was reached: nothing was shared.</p>` : books(ledger)}
</section>`;
}

function books(ledger: Ledger): Html {
  const { sessions, opened, ridden, avoided, roundTrips, seconds } = ledger;
  const number = (value: number) => value.toLocaleString("en");
  const rode = ridden.carpool + ridden.openssh;
  return html`
    <div class="cards">
      <div class="card"><b>${number(avoided)}</b> <span>handshakes not made</span></div>
      <div class="card"><b>${number(
        roundTrips.separate - roundTrips.shared,
      )}</b> <span>round trips saved</span></div>
      <div class="card"><b>${seconds
        ? formatDuration(seconds.sum * 1000)
        : "not measured"}</b> <span>of connecting saved, all hosts together</span></div>
    </div>
    <table>
      <caption>${number(sessions)} commands and copies on ${plural(ledger.hosts, "host")}</caption>
      <thead>
        <tr>
          <th scope="col"></th>
          <th scope="col">a new ssh for each</th>
          <th scope="col">this run</th>
          <th scope="col">saved</th>
        </tr>
      </thead>
      <tbody>
    ${row("Connections opened", [number(sessions), number(opened), number(avoided)])}
    ${row("Round trips, about", [
      number(roundTrips.separate),
      number(roundTrips.shared),
      number(roundTrips.separate - roundTrips.shared),
    ])}
    ${seconds ? secondsRow(seconds, ledger) : undefined}
      </tbody>
    </table>
    <p>${rode === 0 ? "No live master was there to ride." : riding(ledger)}</p>
    <details>
      <summary>How this is reckoned</summary>
      <ul>
        <li>Without sharing, each attempt of each command and copy would have been an <code>ssh</code> of its own.</li>
        <li>A new <code>ssh</code> with its one command takes about ${newSshRoundTrips} round trips; a command on a connection
    that is there, as through OpenSSH’s own sharing, takes ${sharedRoundTrips} (Carpool’s bench counts them). A copy needs more, the
    same either way. Carpool’s spare sessions often make it one; that is not counted here.</li>
        <li>Seconds are the time that connecting took in this run, host by host, for each connection that was not opened. They are
    measured from the request for a connection to having it, with everything else this machine was doing at the time.${seconds
      ? html`
        The median was ${formatDuration(seconds.connect * 1000)}, on ${plural(seconds.hosts, "host")}.
      `
      : " No connection was opened in this run, so there is nothing to measure by, and nothing is claimed."}</li>
        <li>Hosts work side by side, so the clock on the wall gains less than all hosts together: ${seconds
          ? `at least what the host gained that was saved the most, ${
            formatDuration(seconds.longest * 1000)
          }.`
          : "by how much was not measured."}</li>
        <li>What guards asked (<code>creates</code>, <code>unless</code>) would have been connections too; they are not counted.</li>
      </ul>
    </details>
  `;
}

function row(head: string, cells: readonly string[]): Html {
  return html`
    <tr><th scope="row">${head}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>
  `;
}

function secondsRow(seconds: NonNullable<Ledger["seconds"]>, { hosts }: Ledger): Html {
  const head = seconds.hosts === hosts
    ? "Time spent connecting"
    : `Time spent connecting, ${seconds.hosts} of ${hosts} hosts`;
  const shared = seconds.made;
  return row(head, [shared + seconds.sum, shared, seconds.sum].map((one) => formatDuration(one * 1000)));
}

function riding({ ridden, seconds }: Ledger): string {
  const kinds = [
    ...(ridden.carpool > 0 ? [`${plural(ridden.carpool, "live master")} of Carpool’s`] : []),
    ...(ridden.openssh > 0 ? [`${plural(ridden.openssh, "live master")} of OpenSSH’s`] : []),
  ].join(" and ");
  const left = seconds === null || seconds.avoidedUnmeasured > 0
    ? " What connecting to those hosts takes was not measured in this run, so they are not in the time saved."
    : "";
  return `It rode ${kinds}: no handshake at all for them.${left}`;
}
