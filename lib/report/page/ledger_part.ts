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
  const { sessions, opened, avoided, roundTrips, seconds } = ledger;
  const trips = [roundTrips.separate, roundTrips.shared, roundTrips.separate - roundTrips.shared];
  const rows = [
    row("Connections opened", [sessions, opened, avoided].map(number)),
    row("Round trips, about", trips.map(number)),
  ];
  if (seconds) {
    const { made, sum, unknown } = seconds;
    const head = unknown === 0
      ? "Time of connecting"
      : `Time of connecting, ${ledger.hosts - unknown} of ${ledger.hosts} hosts`;
    rows.push(row(head, [made + sum, made, sum].map(time)));
  }
  return html`
    <div class="cards">
      ${card(number(avoided), "handshakes not made")}
      ${card(number(trips[2]), "round trips saved")}
      ${card(seconds ? time(seconds.sum) : "not measured", "of connecting saved, all hosts together")}
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
      <tbody>${rows}</tbody>
    </table>
    <p>${riding(ledger)}</p>
    <details>
      <summary>How this is reckoned</summary>
      <ul>${reckoning(ledger).map((text) => html`<li>${text}</li>`)}</ul>
    </details>
  `;
}

function card(figure: string, what: string): Html {
  return html`<div class="card"><b>${figure}</b> <span>${what}</span></div>`;
}

function row(head: string, cells: readonly string[]): Html {
  return html`
    <tr><th scope="row">${head}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>
  `;
}

function number(value: number): string {
  return value.toLocaleString("en");
}

function time(seconds: number): string {
  return formatDuration(seconds * 1000);
}

function riding({ ridden }: Ledger): string {
  const kinds = [
    ...(ridden.carpool > 0 ? [`${plural(ridden.carpool, "live master")} of Carpool’s`] : []),
    ...(ridden.openssh > 0 ? [`${plural(ridden.openssh, "live master")} of OpenSSH’s`] : []),
  ];
  if (kinds.length === 0) return "No live master was there to ride.";
  return `It rode ${kinds.join(" and ")}: no handshake at all for them.`;
}

/** Every assumption that the figures rest on. */
function reckoning({ seconds }: Ledger): string[] {
  const texts = [
    "Without sharing, each attempt of each command and copy would have been an ssh of its own.",
    `A new ssh with its one command takes about ${newSshRoundTrips} round trips; a command on a connection that is ` +
    `there, as through OpenSSH’s own sharing, takes ${sharedRoundTrips}. Carpool’s spare sessions, and steps that ` +
    "travel together, often make it fewer; that is not counted. What a copy needs beyond is the same either way.",
    "What guards asked (creates, unless) would have been connections too; they are not counted.",
  ];
  if (!seconds) {
    return [...texts, "Neither connecting nor a round trip was measured in this run, so no time is claimed."];
  }
  const { connect, measured, byRoundTrips, unknown, longest } = seconds;
  if (connect !== null) {
    texts.push(
      `Connecting was measured on ${
        plural(measured, "host")
      }, from asking for a connection to having it, with ` +
        `whatever else this machine did meanwhile; the median was ${
          time(connect)
        }. Each host’s own time counts ` +
        "once for each connection that was not opened to it.",
    );
  }
  if (byRoundTrips.hosts > 0) {
    texts.push(
      `${
        plural(byRoundTrips.hosts, "host")
      } had a live master, so no handshake was there to be measured: for ` +
        `each connection not opened, ${
          newSshRoundTrips - sharedRoundTrips
        } of the shortest round trips that this run ` +
        `saw to the host count, without the work of key exchange and login. That is ${
          time(byRoundTrips.sum)
        } of the time saved.`,
    );
  }
  if (unknown > 0) {
    texts.push(`Of ${plural(unknown, "host")} neither was measured; the time saved on them is not in it.`);
  }
  texts.push(
    "Hosts work side by side, so the clock on the wall gains less than all hosts together. " +
      `The host that gained the most gained ${time(longest)}.`,
  );
  return texts;
}
