<?php
// A consumer for Willcall with PHP's own streams: batches, each message signed for when it is done. See docs/clients.md.
//
//   WILLCALL_URL=https://willcall.example.org WILLCALL_KEY=... SUBSCRIPTION=acme-erp php consumer.php
//
// Also read: WAIT_SECONDS (10), VISIBILITY_SECONDS (30), and WORK_SECONDS (0), how long the pretended work takes.
// PHP has no threads: long work has to call beat() now and then. A signal is heeded when the parked receive has been
// answered, so the wait is kept shorter than elsewhere; signals need the extension pcntl.

declare(strict_types=1);

$base = setting('WILLCALL_URL') . '/v1/subscriptions/' . setting('SUBSCRIPTION');
$waitSeconds = (int) setting('WAIT_SECONDS', '10');
$visibilitySeconds = (int) setting('VISIBILITY_SECONDS', '30');
$stopping = false;
$held = []; // receipt => message: everything that is extended
$beatAt = 0.0;

/** Something that may be over later. */
final class Trouble extends Exception
{
    public function __construct(string $what, public readonly int $retryAfter = 0)
    {
        parent::__construct($what);
    }
}

function setting(string $name, ?string $otherwise = null): string
{
    $value = getenv($name);
    return $value !== false && $value !== '' ? $value : $otherwise ?? exit("$name is not set\n");
}

/** The parsed answer, or a Trouble. Where trying again cannot help, it ends the program. */
function call(string $verb, array $body, int $timeout = 15, ?string $key = null): array
{
    global $base;
    $headers = ['Authorization: Bearer ' . setting('WILLCALL_KEY'), 'Content-Type: application/json'];
    if ($key !== null) {
        $headers[] = "Idempotency-Key: $key";
    }
    $content = json_encode($body, JSON_THROW_ON_ERROR);
    $http = ['method' => 'POST', 'header' => $headers, 'content' => $content, 'timeout' => $timeout];
    $context = stream_context_create(['http' => $http + ['ignore_errors' => true, 'follow_location' => 0]]);
    $text = @file_get_contents("$base/$verb", false, $context);
    $lines = $http_response_header ?? [];
    if ($text === false || $lines === []) {
        throw new Trouble('no answer: ' . (error_get_last()['message'] ?? 'unknown'));
    }
    $status = (int) (explode(' ', $lines[0])[1] ?? 0);
    if ($status === 408 || $status === 429 || $status >= 500) {
        $asked = preg_grep('/^retry-after: *\d+$/i', $lines);
        throw new Trouble("$status", $asked ? (int) explode(':', reset($asked))[1] : 0);
    }
    // 409 has the same content: none of the receipts is good, and the results say why.
    if ($status !== 200 && $status !== 409) {
        fwrite(STDERR, "$status: $text\n");
        exit(1);
    }
    // An answer that was cut off is as good as none.
    return json_decode($text, true) ?? throw new Trouble('half an answer');
}

function back_off(int $failures, Trouble $trouble): void
{
    $delay = min(30, 0.25 * 2 ** $failures) * mt_rand(500, 1000) / 1000;
    $delay = max($delay, $trouble->retryAfter + mt_rand(0, 250) / 1000);
    fprintf(STDERR, "%s: trying again in %.1f s\n", $trouble->getMessage(), $delay);
    usleep((int) ($delay * 1e6));
}

/** Acknowledges or releases until the service has said what became of the message. */
function settle(string $verb, array $message): void
{
    global $held;
    for ($failures = 0; $failures < 5; $failures++) {
        try {
            $outcome = call($verb, ['receipts' => [$message['receipt']]])['results'][0]['outcome'] ?? 'unknown';
            $done = preg_replace('/^already_|_late$/', '', $outcome);
            if ($done === "{$verb}d") {
                echo "$done {$message['id']}\n";
            } else { // not ours any more: somebody else has it, or has signed for it
                fwrite(STDERR, "not settled {$message['id']}: $outcome\n");
            }
            break;
        } catch (Trouble $trouble) {
            back_off($failures, $trouble);
        }
    }
    unset($held[$message['receipt']]);
}

/** Moves the visibility timeouts of all that is held on, at a third of the time. */
function beat(): void
{
    global $held, $beatAt, $visibilitySeconds;
    if ($held === [] || microtime(true) - $beatAt < $visibilitySeconds / 3) {
        return;
    }
    $beatAt = microtime(true);
    try {
        call('extend', ['receipts' => array_keys($held), 'visibility_timeout_seconds' => $visibilitySeconds], 5);
    } catch (Trouble $trouble) {
        fwrite(STDERR, "not extended: {$trouble->getMessage()}\n"); // two more chances before the time is over
    }
}

/**
 * Your work, on the bytes of the body. It may come again with the same $message['id']: make the second time do nothing.
 * False gives the message back because of the shutdown.
 */
function process(array $message, string $body): bool
{
    global $stopping;
    $until = microtime(true) + (float) setting('WORK_SECONDS', '0');
    while (microtime(true) < $until) {
        if ($stopping) {
            return false;
        }
        beat();
        usleep(100_000);
    }
    return true;
}

if (function_exists('pcntl_async_signals')) {
    pcntl_async_signals(true);
    foreach ([SIGTERM, SIGINT] as $signal) {
        pcntl_signal($signal, function () use (&$stopping): void {
            $stopping = true;
        });
    }
}

$failures = 0;
$key = bin2hex(random_bytes(16));
while (!$stopping) {
    $wanted = ['wait_seconds' => $waitSeconds, 'visibility_timeout_seconds' => $visibilitySeconds];
    try {
        $messages = call('receive', ['max_messages' => 10] + $wanted, $waitSeconds + 15, $key)['messages'];
    } catch (Trouble $trouble) { // the same key again: what a lost answer held comes with the next one
        back_off($failures++, $trouble);
        continue;
    }
    $failures = 0;
    $key = bin2hex(random_bytes(16));
    $beatAt = microtime(true);
    $held = array_column($messages, null, 'receipt');
    foreach ($messages as $message) {
        beat();
        $finished = false;
        if (!$stopping) {
            echo "received {$message['id']} attempt {$message['attempt']}\n";
            $raw = $message['body_encoding'] === 'base64';
            $finished = process($message, $raw ? base64_decode($message['body']) : $message['body']);
        }
        settle($finished ? 'acknowledge' : 'release', $message);
    }
}
