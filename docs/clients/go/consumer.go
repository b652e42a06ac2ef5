// A consumer for Willcall with Go's standard library: several messages at a time, each signed for when it is done. See
// docs/clients.md.
//
//	WILLCALL_URL=https://willcall.example.org WILLCALL_KEY=... SUBSCRIPTION=acme-erp go run consumer.go
//
// Also read: WAIT_SECONDS (20), VISIBILITY_SECONDS (30), and WORK_SECONDS (0), how long the pretended work takes.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const workers = 4

var (
	base       = os.Getenv("WILLCALL_URL") + "/v1/subscriptions/" + os.Getenv("SUBSCRIPTION")
	wait       = setting("WAIT_SECONDS", 20)
	visibility = setting("VISIBILITY_SECONDS", 30)
	work       = time.Duration(setting("WORK_SECONDS", 0)) * time.Second
)

type message struct {
	ID           string
	Receipt      string
	Attempt      int
	Body         string
	BodyEncoding string `json:"body_encoding"`
}

type result struct{ Receipt, Outcome string }

type answer struct {
	Messages []message
	Results  []result
}

// trouble is something that may be over later.
type trouble struct {
	what       string
	retryAfter time.Duration
}

func (t trouble) Error() string { return t.what }

func setting(name string, otherwise int) int {
	if value, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return value
	}
	return otherwise
}

// call returns the answer, or a trouble. Where trying again cannot help, it ends the program.
func call(ctx context.Context, verb string, body map[string]any, timeout time.Duration, key string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	content, _ := json.Marshal(body)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/"+verb, bytes.NewReader(content))
	if err != nil {
		fail(err.Error())
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("WILLCALL_KEY"))
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, trouble{what: err.Error()}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, trouble{what: err.Error()}
	}
	status := response.StatusCode
	if status == 408 || status == 429 || status >= 500 {
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return answer{}, trouble{response.Status, time.Duration(seconds) * time.Second}
	}
	// 409 has the same content: none of the receipts is good, and the results say why.
	if status != http.StatusOK && status != http.StatusConflict {
		fail(response.Status + ": " + string(text))
	}
	var found answer
	if err := json.Unmarshal(text, &found); err != nil {
		return answer{}, trouble{what: err.Error()}
	}
	return found, nil
}

func fail(what string) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}

// backOff waits before the next try; a done context ends the waiting.
func backOff(ctx context.Context, failures int, err error) {
	longest := 250 * time.Millisecond << min(failures, 7)
	delay := longest/2 + time.Duration(mathrand.Int63n(int64(longest/2)))
	if asked := err.(trouble).retryAfter; asked > delay {
		delay = asked + time.Duration(mathrand.Int63n(int64(250*time.Millisecond)))
	}
	fmt.Fprintf(os.Stderr, "%v: trying again in %v\n", err, delay.Round(time.Millisecond))
	select {
	case <-ctx.Done():
	case <-time.After(delay):
	}
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

// settle acknowledges or releases until the service has said what became of the message.
func settle(verb string, message message) {
	for failures := 0; failures < 5; failures++ {
		found, err := call(context.Background(), verb, map[string]any{"receipts": []string{message.Receipt}}, 15*time.Second, "")
		if err == nil && len(found.Results) != 1 {
			err = trouble{what: "no result: is it Willcall's?"}
		}
		if err != nil {
			backOff(context.Background(), failures, err)
			continue
		}
		outcome := strings.TrimSuffix(strings.TrimPrefix(found.Results[0].Outcome, "already_"), "_late")
		if outcome == verb+"d" {
			fmt.Println(outcome, message.ID)
		} else { // not ours any more: somebody else has it, or has signed for it
			fmt.Fprintf(os.Stderr, "not settled %s: %s\n", message.ID, outcome)
		}
		return
	}
	fmt.Fprintf(os.Stderr, "not settled %s: the service stays away, the message comes again\n", message.ID)
}

// heartbeat moves the visibility timeout on, at a third of the time, until the context is done.
func heartbeat(ctx context.Context, receipt string) {
	ticker := time.NewTicker(time.Duration(visibility) * time.Second / 3)
	defer ticker.Stop()
	body := map[string]any{"receipts": []string{receipt}, "visibility_timeout_seconds": visibility}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if _, err := call(ctx, "extend", body, 5*time.Second, ""); err != nil && ctx.Err() == nil {
				fmt.Fprintf(os.Stderr, "not extended: %v\n", err) // two more chances before the time is over
			}
		}
	}
}

// process is your work. It may see the same message.ID again: make the second time do nothing. False gives the message back
// because of the shutdown.
func process(ctx context.Context, message message, body []byte) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(work):
		return true
	}
}

func handle(ctx context.Context, message message) {
	fmt.Println("received", message.ID, "attempt", message.Attempt)
	body := []byte(message.Body)
	if message.BodyEncoding == "base64" {
		body, _ = base64.StdEncoding.DecodeString(message.Body)
	}
	beating, stopBeating := context.WithCancel(context.Background())
	defer stopBeating()
	go heartbeat(beating, message.Receipt)
	verb := "release"
	if process(ctx, message, body) {
		verb = "acknowledge"
	}
	settle(verb, message)
}

func newKey() string {
	random := make([]byte, 16)
	rand.Read(random)
	return fmt.Sprintf("%x", random)
}

func main() {
	mathrand.Seed(time.Now().UnixNano())
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	working, stopWork := context.WithCancel(context.Background())
	hands := make(chan struct{}, workers)
	var inWork sync.WaitGroup
	key := newKey()
	receive := func(ctx context.Context, waitSeconds int) (answer, error) {
		body := map[string]any{
			"max_messages": workers - len(hands), "wait_seconds": waitSeconds, "visibility_timeout_seconds": visibility,
		}
		return call(ctx, "receive", body, time.Duration(waitSeconds+15)*time.Second, key)
	}
	failures := 0
	for ctx.Err() == nil {
		select { // until a hand is free
		case hands <- struct{}{}:
			<-hands
		case <-ctx.Done():
			continue
		}
		found, err := receive(ctx, wait)
		if ctx.Err() != nil && err != nil {
			break
		}
		if err != nil { // the same key again: what a lost answer held comes with the next one
			backOff(ctx, failures, err)
			failures++
			continue
		}
		failures, key = 0, newKey()
		for _, each := range found.Messages {
			hands <- struct{}{}
			inWork.Add(1)
			go func(message message) {
				defer func() { <-hands; inWork.Done() }()
				handle(working, message)
			}(each)
		}
	}
	// The service may not have seen yet that the parked receive is gone, and would hand it what is given back now. Asking again
	// with its key takes its place, and brings what it may have been handed already.
	if found, err := receive(context.Background(), 0); err == nil {
		for _, each := range found.Messages {
			settle("release", each)
		}
	}
	stopWork()
	inWork.Wait()
}
