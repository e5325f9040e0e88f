package bottle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"bottlebar.app/egress"
	"bottlebar.app/internal/atomicfile"
)

// purse is a sidecar as the till sees it.
type purse interface {
	ID() string
	// Allow replaces what may be spent and answers a wish; what it returns is in
	// force, and never below what is spent and held.
	Allow(ctx context.Context, a egress.Allowance, want uint64) (egress.Allowance, error)
	Totals() egress.Totals
}

// till hands out tokens to the bottles' sidecars, so that neither a bottle's
// cap nor the day's, which all share, is ever overspent, whatever ends when.
//
// A sidecar may spend what it was allowed and no more. Each allowance is
// written to the disk before it is given, and counts as spent until it is known
// better: of a sidecar that ended unheard all of it does. What one bottle was
// allowed and does not use is taken back when another is short.
//
// A day begins when the clock shows a later date than any before; a clock that
// jumps back fills nothing again. One that stays back, because it was wrong
// before, has its days as others do: each begins as the date that was shown last
// goes over into the next.
type till struct {
	path string
	now  func() time.Time
	caps func() Caps
	log  *slog.Logger

	mu    sync.Mutex
	state tillState
	cars  map[string]purse // by bottle: the sidecars that are heard
}

// Caps are the settings' limits in tokens; 0 is none.
type Caps struct {
	Bottle int64 // of each bottle that has none of its own
	Day    int64 // of all bottles together, from midnight to midnight
}

// tillState is what the file holds.
type tillState struct {
	Day      string              `json:"day"`      // as 2006-01-02, of this computer's clock
	Back     string              `json:"back"`     // the date that is shown, where it is an earlier one
	Gone     int64               `json:"gone"`     // charged to the day by sidecars that are no more
	Accounts map[string]*account `json:"accounts"` // by bottle
}

// account is one bottle's.
type account struct {
	Cap     int64         `json:"cap"`  // 0: the settings'; NoCap: none
	Base    egress.Totals `json:"base"` // of earlier sidecars
	Car     string        `json:"car"`  // the sidecar
	Totals  egress.Totals `json:"totals"`
	Capped  bool          `json:"capped"`
	Allowed int64         `json:"allowed"` // to the sidecar since it began, if Capped
	Dawn    int64         `json:"dawn"`    // what it had spent when the day began
}

// NoCap is the cap of a bottle that has none, whatever the settings say.
const NoCap = -1

// out is what the sidecar has spent and may be spending.
func (a *account) out() int64 { return a.Totals.Spent() + a.Totals.Held }

// charge is what counts of the sidecar.
func (a *account) charge() int64 {
	if a.Capped {
		return max(a.Allowed, a.out())
	}
	return a.out()
}

func openTill(path string, now func() time.Time, caps func() Caps, log *slog.Logger) *till {
	t := &till{path: path, now: now, caps: caps, log: log, cars: map[string]purse{}}
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &t.state)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		// Caps start afresh, which a person must hear of.
		log.Error("the counts of tokens cannot be read and start afresh", "file", path, "error", err)
		_ = os.Rename(path, path+".bad")
		t.state = tillState{}
	}
	if t.state.Accounts == nil {
		t.state.Accounts = map[string]*account{}
	}
	return t
}

func (t *till) save() error {
	if err := atomicfile.WriteJSON(t.path, &t.state); err != nil {
		return fmt.Errorf("writing the counts of tokens: %w", err)
	}
	return nil
}

// roll begins a new day if it is one. What is out counts for the new day.
func (t *till) roll() {
	today := t.now().Local().Format(time.DateOnly)
	last := t.state.Back
	switch {
	case today > t.state.Day:
		t.state.Day, t.state.Back = today, ""
	case today == t.state.Day:
		t.state.Back = ""
		return
	default:
		t.state.Back = today
		if next := dayAfter(last); next.IsZero() || today != next.Format(time.DateOnly) {
			return
		}
	}
	t.state.Gone = 0
	for id, a := range t.state.Accounts {
		t.hear(id, a)
		a.Dawn = a.Totals.Spent()
	}
}

// hear takes over what a bottle's sidecar has told.
func (t *till) hear(id string, a *account) {
	if car := t.cars[id]; car != nil && car.ID() == a.Car {
		a.Totals = car.Totals()
	}
}

// resets is when the next day begins.
func (t *till) resets() time.Time {
	if t.state.Back != "" {
		return dayAfter(t.state.Back)
	}
	return dayAfter(t.state.Day)
}

// dayAfter is the midnight that ends a date; zero for what is none.
func dayAfter(date string) time.Time {
	day, err := time.ParseInLocation(time.DateOnly, date, time.Local)
	if err != nil {
		return time.Time{}
	}
	return day.AddDate(0, 0, 1)
}

// today is what counts for the day; with out also what was allowed and is not
// spent.
func (t *till) today(charge func(*account) int64) int64 {
	sum := t.state.Gone
	for _, a := range t.state.Accounts {
		sum += charge(a) - a.Dawn
	}
	return sum
}

func (t *till) account(id string) *account {
	a := t.state.Accounts[id]
	if a == nil {
		a = &account{}
		t.state.Accounts[id] = a
	}
	return a
}

// limit is a bottle's cap in force, 0 for none.
func (t *till) limit(a *account) int64 {
	switch {
	case a.Cap == NoCap:
		return 0
	case a.Cap > 0:
		return a.Cap
	}
	return t.caps().Bottle
}

// bind takes a bottle's sidecar in, new or known, and gives it what it may
// spend. It is called before the sidecar is opened, and when caps have changed.
func (t *till) bind(ctx context.Context, id string, car purse) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.roll()
	a := t.account(id)
	if a.Car != car.ID() {
		t.retire(id, a)
		a.Car = car.ID()
	}
	t.cars[id] = car
	capped := t.limit(a) > 0 || t.caps().Day > 0
	give := egress.Allowance{Capped: capped}
	if capped && a.Capped {
		give.Tokens = a.Allowed
	}
	ctx, cancel := context.WithTimeout(ctx, allowTimeout)
	defer cancel()
	got, err := car.Allow(ctx, give, 0)
	if err != nil {
		return err
	}
	a.Totals, a.Capped, a.Allowed = car.Totals(), capped, got.Tokens
	return t.save()
}

// retire closes the account of a sidecar that is no more. One that was heard
// to its end has told what it spent; of any other all that it was allowed
// counts.
func (t *till) retire(id string, a *account) {
	unread := a.Totals.Held
	if car := t.cars[id]; car != nil && car.ID() == a.Car {
		a.Totals = car.Totals()
		unread = a.Totals.Held
	} else if a.Capped {
		unread = a.charge() - a.Totals.Spent()
	}
	delete(t.cars, id)
	a.Base.Requests += a.Totals.Requests
	a.Base.Usage = a.Base.Usage.Plus(a.Totals.Usage)
	a.Base.Unread += a.Totals.Unread + unread
	t.state.Gone += a.Totals.Spent() + unread - a.Dawn
	a.Car, a.Totals, a.Capped, a.Allowed, a.Dawn = "", egress.Totals{}, false, 0, 0
}

// forget closes the account of a bottle that is no more; what it spent stays
// with the day.
func (t *till) forget(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.state.Accounts[id]
	if a == nil {
		return
	}
	t.roll()
	t.retire(id, a)
	delete(t.state.Accounts, id)
	if err := t.save(); err != nil {
		t.log.Error("till", "error", err)
	}
}

// spent notes what a bottle's sidecar has told.
func (t *till) spent(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	car, a := t.cars[id], t.state.Accounts[id]
	if car == nil || a == nil || car.ID() != a.Car {
		return
	}
	t.roll()
	a.Totals = car.Totals()
	if err := t.save(); err != nil {
		t.log.Error("till", "error", err)
	}
}

// answer answers a sidecar's wish: with what it needs, or with the cap that
// forbids it.
func (t *till) answer(ctx context.Context, id string, w egress.Want) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	car, a := t.cars[id], t.state.Accounts[id]
	if car == nil || a == nil || car.ID() != a.Car {
		return nil
	}
	t.roll()
	a.Totals = car.Totals()
	give := egress.Allowance{Capped: a.Capped, Tokens: a.Allowed}
	if a.Capped {
		if give.Short = t.short(ctx, a, w.Tokens); give.Short == nil {
			give.Tokens += max(0, w.Tokens)
		}
	}
	a.Allowed = give.Tokens
	if err := t.save(); err != nil {
		return err // unwritten it is not given; the request is refused in time
	}
	ctx, cancel := context.WithTimeout(ctx, allowTimeout)
	defer cancel()
	got, err := car.Allow(ctx, give, w.ID)
	if err == nil {
		a.Allowed = got.Tokens
	}
	return err
}

// short says which cap forbids a bottle more tokens.
func (t *till) short(ctx context.Context, a *account, more int64) *egress.Shortage {
	if limit := t.limit(a); limit > 0 && (more > limit || a.Base.Spent()+a.charge()+more > limit) {
		return &egress.Shortage{Cap: "bottle", Limit: limit, Used: a.Base.Spent() + a.out()}
	}
	limit := t.caps().Day
	if limit <= 0 {
		return nil
	}
	if more <= limit && t.today((*account).charge)+more > limit {
		t.takeBack(ctx, a)
	}
	if more > limit || t.today((*account).charge)+more > limit {
		return &egress.Shortage{Cap: "day", Limit: limit, Used: t.today((*account).out), Resets: t.resets()}
	}
	return nil
}

// allowTimeout bounds how long a sidecar that hangs holds up the others.
const allowTimeout = 5 * time.Second

// reclaimTimeout is how long another bottle's sidecar may take to give back
// what it does not use.
const reclaimTimeout = 2 * time.Second

// takeBack takes from all other bottles what they were allowed and do not use.
func (t *till) takeBack(ctx context.Context, but *account) {
	for id, a := range t.state.Accounts {
		car := t.cars[id]
		if t.hear(id, a); a == but || !a.Capped || car == nil || a.Allowed <= a.out() {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, reclaimTimeout)
		got, err := car.Allow(ctx, egress.Allowance{Capped: true}, 0)
		cancel()
		if err != nil {
			continue // it may still have it, so it stays charged
		}
		a.Totals, a.Allowed = car.Totals(), got.Tokens
	}
}

// setCap changes a bottle's own cap: 0 for the settings', NoCap for none.
func (t *till) setCap(ctx context.Context, id string, tokens int64) error {
	t.mu.Lock()
	t.account(id).Cap = tokens
	car := t.cars[id]
	err := t.save()
	t.mu.Unlock()
	if err != nil || car == nil {
		return err
	}
	return t.bind(ctx, id, car)
}

// resetDay starts the day's count afresh, as of now.
func (t *till) resetDay() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state.Day, t.state.Back = "", ""
	t.roll()
	return t.save()
}

// bottleUse is what a bottle took in all, with its cap, 0 for none.
func (t *till) bottleUse(id string) (egress.Totals, int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.state.Accounts[id]
	if a == nil {
		return egress.Totals{}, 0
	}
	n := a.Totals
	if car := t.cars[id]; car != nil && car.ID() == a.Car {
		n = car.Totals()
	}
	n.Requests += a.Base.Requests
	n.Usage = n.Usage.Plus(a.Base.Usage)
	n.Unread += a.Base.Unread
	return n, t.limit(a)
}

// dayUse is what all bottles took today, the day's cap, and when it ends.
func (t *till) dayUse() (used, limit int64, resets time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.roll()
	return t.today((*account).out), t.caps().Day, t.resets()
}
