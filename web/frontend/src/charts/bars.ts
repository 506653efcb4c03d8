import { ChartElement, type Picture, token, type Told } from "./element";
import { type Columns, columnsOf, totalsOf } from "./columns";
import { extent, pointsOf } from "./points";
import { asText, listOf, quantityOf, shortNumber, shown } from "./quantity";
import { type Bucket, DAY_MS, inWords, tickWords, windowOf } from "./time";

/**
 * `<hb-bars>`: amounts along time, from 0. `src` may hold several addresses separated by spaces, which are stacked in
 * their order, named and coloured by `names` and `kinds` (lists separated by commas; `kind` alone colours a single
 * one). Further attributes: `bucket` (hour | day | week | month), `unit`, `decimals`, `factor`, `offset`, and `goal`
 * (as stored), drawn as a line, and `compare` (the series of the period before, bucket by bucket, as a thin line).
 * Every bucket of the window that `src` asks for has its place: an empty place is one of
 * which nothing was told, and a 0 is drawn as a thin line.
 */
class Bars extends ChartElement<Columns> {
  /** Of the period before, by the place of the bucket; empty without one. */
  private earlier: (number | null)[] = [];

  private get bucket(): Bucket {
    return (this.getAttribute("bucket") ?? "day") as Bucket;
  }

  private get kinds(): string[] {
    const kinds = listOf(this, "kinds");
    return kinds.length ? kinds : [this.getAttribute("kind") ?? "accent"];
  }

  protected override furtherAddresses(): string[] {
    return this.addresses("compare").slice(0, 1);
  }

  protected override accept(answers: unknown[]): Columns {
    const count = this.addresses().length;
    const [address] = this.addresses("compare");
    this.earlier = address && answers[count] ? (columnsOf([pointsOf(answers[count])], this.bucket, windowOf(address)).values[0] ?? []) : [];
    return columnsOf(
      answers.slice(0, count).map((answer) => pointsOf(answer)),
      this.bucket,
      windowOf(this.addresses()[0] ?? ""),
    );
  }

  protected tell(columns: Columns): Told {
    const { starts, values } = columns;
    const quantity = quantityOf(this);
    const text = (value: number | null): string | null => asText(value, quantity);
    const totals = totalsOf(columns);
    const held = totals.filter((total) => total !== null);
    const reach = extent(held);
    const isStacked = values.length > 1;
    const names = listOf(this, "names");
    const goal = this.goal();
    const reached = goal === null ? 0 : held.filter((total) => total >= goal).length;
    const missing = starts.length - held.length;
    const unit = { moment: "time", hour: "hour", day: "day", week: "week", month: "month" }[this.bucket];
    const several = (count: number): string => `${count.toLocaleString("en")} ${unit}${count === 1 ? "" : "s"}`;
    const sentences = reach && [
      `${several(held.length)}, on average ${text(held.reduce((sum, value) => sum + value, 0) / held.length)}, from ${text(reach[0])} to ${text(reach[1])}.`,
      goal !== null && `The goal was reached on ${reached}.`,
      missing > 0 && this.bucket !== "hour" && `Nothing recorded in ${several(missing)}.`,
    ];
    return {
      summary: sentences ? sentences.filter(Boolean).join(" ") : "",
      columns: ["Time", ...(isStacked ? ["Together", ...values.map((_, n) => names[n] ?? "")] : ["Value"]), ...(this.earlier.length ? ["Period before"] : [])],
      rows: reach
        ? starts.map((start, n) => ({
            label: inWords(start, this.bucket),
            cells: [text(totals[n] ?? null), ...(isStacked ? values.map((column) => text(column[n] ?? null)) : []), ...(this.earlier.length ? [text(this.earlier[n] ?? null)] : [])],
          }))
        : [],
      legend: [
        ...(isStacked ? values.map((_, n) => ({ words: names[n] ?? "", kind: this.kinds[n] ?? "accent", shape: "block" as const })) : []),
        ...(this.earlier.length ? [{ words: "Period before", kind: "quiet", shape: "line" as const }] : []),
        ...(goal === null ? [] : [{ words: `Goal, ${text(goal)}`, kind: "quiet", shape: "dashed" as const }]),
      ],
    };
  }

  private goal(): number | null {
    const goal = Number(this.getAttribute("goal") || Number.NaN);
    return Number.isFinite(goal) ? goal : null;
  }

  protected async draw(place: HTMLElement, columns: Columns): Promise<Picture> {
    const { axes, grid, picture, valueAxis } = await import("./library");
    const { starts, values } = columns;
    const quantity = quantityOf(this);
    const goal = shown(this.goal(), quantity);
    const totals = totalsOf(columns).map((total) => shown(total, quantity));
    const isWithinADay = (starts.at(-1) ?? 0) - (starts[0] ?? 0) <= DAY_MS;
    const isStacked = values.length > 1;
    return picture(place, {
      options: () => {
        const [quiet, line, card] = [token("quiet"), token("line"), token("card")];
        return {
          grid: grid(quantity.unit),
          xAxis: {
            type: "category",
            data: starts.map((start) => tickWords(start, this.bucket, isWithinADay)),
            ...axes(),
            axisTick: { show: starts.length <= 31, alignWithLabel: true, lineStyle: { color: line } },
            splitLine: { show: false },
          },
          yAxis: {
            ...valueAxis(quantity.unit),
            ...(goal === null ? {} : { max: (reach: { max: number }) => (reach.max > goal ? null : goal * 1.08) }),
            axisLabel: { color: quiet, fontSize: 12, showMaxLabel: goal === null, formatter: shortNumber },
          },
          series: [
            ...values.map((column, layer) => ({
              type: "bar",
              silent: true,
              stack: "all",
              barCategoryGap: starts.length > 100 ? "8%" : "22%",
              barMaxWidth: 44,
              barMinWidth: 1,
              barMinHeight: isStacked ? 0 : 2,
              data: column.map((value) => shown(value, quantity)),
              itemStyle: {
                color: token(this.kinds[layer] ?? "accent"),
                borderRadius: isStacked ? 0 : [3, 3, 0, 0],
                ...(isStacked && starts.length < 70 ? { borderColor: card, borderWidth: 0.5 } : {}),
              },
              ...(layer === 0 && goal !== null
                ? {
                    markLine: { silent: true, animation: false, symbol: "none", label: { show: false }, lineStyle: { color: quiet, type: "dashed", width: 1.5 }, data: [{ yAxis: goal }] },
                  }
                : {}),
            })),
            ...(this.earlier.length
              ? [{ type: "line", silent: true, symbol: "circle", symbolSize: 4, showAllSymbol: true, data: starts.map((_, n) => shown(this.earlier[n] ?? null, quantity)), lineStyle: { color: quiet, width: 1.5 }, itemStyle: { color: quiet } }]
              : []),
          ],
        };
      },
      count: starts.length,
      xOf: (index) => index,
      yOf: (index) => totals[index] ?? null,
    });
  }
}

customElements.define("hb-bars", Bars);
