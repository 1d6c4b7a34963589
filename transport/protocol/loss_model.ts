/** Symbols over which the loss is averaged, of late and for long. */
const MEMORY_SYMBOLS = 1024;
const MEMORY_SYMBOLS_LONG = 16_384;
/** Symbols that a look at the loss needs to say something. */
const SAMPLE_SYMBOLS = 64;
/** What chance makes of the baseline is taken for no less than this. */
const SIGMA_MIN = 0.0025;
/** In standard deviations: what a sample may be too high, and by how much several must be in sum. */
const SLACK = 1;
const EVIDENCE = 4;
const SIGMAS_UNLIKELY = 3;
/** A burst that meets a full queue loses as many, where a flow whose packets come one by one loses none. */
const FEW = 2;
/** Neither is a start interrupted nor growth held back for less than this. */
export const SMALL_LOSS = 0.03;
/** Growth is held back for so much, however long the bursts are that it comes in. */
const GREAT_LOSS = 0.1;
/** How slowly the baseline follows what is lower, and what is higher. */
const FALL = 8;
const RISE = 64;
/** More than this is no loss but the end of a way. */
const RATE_MAX = 0.75;
/** How slowly the symbols that one event takes are learnt. */
const EVENT_MEMORY = 8;

/**
 * What share of symbols gets lost, and how much of that is the path's own: the baseline, which falls as soon as less is lost and rises
 * slowly, unless somebody has tried and found that asking for less does not help.
 */
export class LossModel {
  #rate = 0;
  #usual = 0;
  #symbols = 0;
  /** Nothing, until somebody has tried. */
  #baseline = 0;
  #sample = noSample();
  /** All samples since it began anew. */
  #since = noSample();
  #perEvent = 1;
  #last = 0;
  #excess = 0;
  #evidence = 0;
  #isFresh = false;

  /** Share lost, of late. */
  get rate(): number {
    return Math.min(this.#rate, RATE_MAX);
  }

  /** Share lost, over many rounds: what a burst does not change. */
  get usual(): number {
    return Math.min(this.#usual, RATE_MAX);
  }

  /** Share that the path loses by itself. */
  get baseline(): number {
    return Math.min(this.#baseline, RATE_MAX);
  }

  /** Whether there has been a sample since it began anew. */
  get isFresh(): boolean {
    return this.#isFresh;
  }

  /** Symbols that one event takes, on average: more than one where they get lost in bursts. */
  get perEvent(): number {
    return this.#perEvent;
  }

  /** All that is known of the present window: what of so many symbols got lost. */
  get since(): { readonly symbols: number; readonly lost: number } {
    return this.#since;
  }

  /** Share lost in the latest sample. */
  get last(): number {
    return this.#last;
  }

  /** Of `symbols` that were asked for, `lost` did not come: for the average. */
  noteRate(symbols: number, lost: number): void {
    this.#symbols = Math.min(MEMORY_SYMBOLS_LONG, this.#symbols + symbols);
    const share = lost / symbols;
    this.#rate += (share - this.#rate) * Math.min(1, symbols / Math.min(MEMORY_SYMBOLS, this.#symbols));
    this.#usual += (share - this.#usual) * Math.min(1, symbols / this.#symbols);
  }

  /**
   * The same of a round under the present window: for the baseline, which does not rise while others keep the queue full (`isCrowded`).
   * Of `requests`, `lossy` have lost something.
   */
  note(symbols: number, lost: number, requests: number, lossy: number, isCrowded = false): void {
    for (const sample of [this.#sample, this.#since]) {
      sample.requests += requests;
      sample.lossy += lossy;
      sample.symbols += symbols;
      sample.lost += lost;
    }
    if (this.#sample.symbols >= SAMPLE_SYMBOLS) this.#look(isCrowded);
  }

  /** By how much the latest sample, if there is a new one, exceeds what chance makes of the baseline; 0 when it does not. */
  takeExcess(): number {
    const excess = this.#excess;
    this.#excess = 0;
    return excess;
  }

  /** Whether chance makes so many losses of the baseline once in hundreds of times: without waiting for more evidence. */
  isUnlikely(symbols: number, lost: number): boolean {
    const usual = this.baseline * symbols;
    return lost > usual + SIGMAS_UNLIKELY * Math.sqrt(usual * this.#perEvent);
  }

  /** Whether so much was lost that growth has to wait: by more than the path loses by itself, and than chance and bursts make of that. */
  isMuch(symbols: number, lost: number): boolean {
    const share = lost / symbols - this.baseline;
    // A bucket that lets next to nothing pass loses in the longest bursts of all.
    return share > SMALL_LOSS && (share > GREAT_LOSS || this.isUnlikely(symbols, lost - FEW));
  }

  /** So much is the path's own. */
  accept(share: number): void {
    this.#baseline = share;
    this.#excess = this.#evidence = 0;
  }

  /** At least so much is the path's own. */
  raise(share: number): void {
    if (share > this.#baseline) this.accept(share);
  }

  /** Less was asked for, and less was lost: what still is lost is the path's own, or at most that if the path `isFull` even so. */
  lower(isFull: boolean): void {
    const { symbols, lost } = this.#since;
    const share = lost / symbols;
    this.accept(isFull ? Math.min(this.baseline, share + this.#sigma(symbols)) : share);
  }

  /** Forgets the sample that is being taken: it belongs to another window. */
  restart(): void {
    this.#sample = noSample();
    this.#since = noSample();
    this.#excess = this.#evidence = 0;
    this.#last = this.baseline;
    this.#isFresh = false;
  }

  #look(isCrowded: boolean): void {
    const { symbols, lost } = this.#sample;
    const events = eventsOf(this.#sample);
    this.#sample = noSample();
    this.#isFresh = true;
    const share = lost / symbols;
    if (lost > 0) {
      const each = lost / Math.max(1, events);
      this.#perEvent = Math.max(each, this.#perEvent + (each - this.#perEvent) / EVENT_MEMORY);
    }
    this.#last = share;
    const luck = share * Math.sqrt((1 - share) / Math.max(1, events));
    const usual = Math.max(this.#sigma(symbols), luck, SIGMA_MIN);
    // Page's cumulative sum: many samples that are a little too high say as much as one that is far too high.
    this.#evidence = Math.max(0, this.#evidence + (share - this.#baseline) / usual - SLACK);
    if (this.#evidence > EVIDENCE) {
      this.#excess = Math.max(0, share - this.#baseline);
      return;
    }
    this.#excess = 0;
    // Half of all samples are below what is usual: what chance makes of it must not pull it down.
    const isLess = share < this.#baseline - SLACK * usual;
    if (isCrowded && share > this.#baseline) return;
    this.#baseline += (share - this.#baseline) / (isLess ? FALL : RISE);
  }

  /** What chance makes of the baseline in so many symbols. */
  #sigma(symbols: number): number {
    return Math.sqrt(this.baseline * (1 - this.baseline) / symbols);
  }
}

interface Sample {
  symbols: number;
  lost: number;
  requests: number;
  lossy: number;
}

function noSample(): Sample {
  return { symbols: 0, lost: 0, requests: 0, lossy: 0 };
}

/**
 * How many events a loss is of, if each hits one of the requests, whichever: several may hit the same one. Symbols that get lost each by
 * itself hit many; when fewer are hit, and harder, they come in bursts, and what a burst takes is one event.
 */
function eventsOf({ lost, requests, lossy }: Sample): number {
  return lossy === requests ? lost : Math.min(lost, -requests * Math.log(1 - lossy / requests));
}
