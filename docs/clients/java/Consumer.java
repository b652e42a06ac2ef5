// A consumer for Willcall with java.net.http, Java 17 or newer: one message at a time, as bytes, so that no JSON parser is
// needed. See docs/clients.md.
//
//   WILLCALL_URL=https://willcall.example.org WILLCALL_KEY=... SUBSCRIPTION=acme-erp java Consumer.java
//
// Also read: WAIT_SECONDS (20), VISIBILITY_SECONDS (30), and WORK_SECONDS (0), how long the pretended work takes.

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public final class Consumer {
  private static final String BASE =
      setting("WILLCALL_URL", null) + "/v1/subscriptions/" + setting("SUBSCRIPTION", null) + "/";
  private static final String KEY = setting("WILLCALL_KEY", null);
  private static final int WAIT_SECONDS = Integer.parseInt(setting("WAIT_SECONDS", "20"));
  private static final int VISIBILITY_SECONDS = Integer.parseInt(setting("VISIBILITY_SECONDS", "30"));
  private static final int WORK_SECONDS = Integer.parseInt(setting("WORK_SECONDS", "0"));
  private static final Pattern OUTCOME = Pattern.compile("\"outcome\":\"(?:already_)?(\\w+?)(?:_late)?\"");

  private static final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(5)).build();
  private static final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          (task) -> {
            Thread thread = new Thread(task, "heartbeat");
            thread.setDaemon(true);
            return thread;
          });
  private static volatile boolean stopping = false;
  private static volatile boolean finished = false;

  private record Message(String id, String receipt, int attempt, byte[] body) {}

  /** Something that may be over later. */
  private static final class Trouble extends Exception {
    final int retryAfterSeconds;

    Trouble(String what, int retryAfterSeconds) {
      super(what);
      this.retryAfterSeconds = retryAfterSeconds;
    }
  }

  public static void main(String[] arguments) {
    Thread main = Thread.currentThread();
    // On SIGTERM and SIGINT: ends the parked receive or the pause, and lets the main thread give back what it holds.
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  stopping = true;
                  main.interrupt();
                  try {
                    main.join(30_000);
                  } catch (InterruptedException ignored) {
                    // The process ends all the same.
                  }
                  System.out.flush();
                  Runtime.getRuntime().halt(finished ? 0 : 1);
                }));
    int failures = 0;
    String key = UUID.randomUUID().toString();
    while (!stopping) {
      try {
        Message message = receive(key);
        failures = 0;
        key = UUID.randomUUID().toString();
        if (message != null) handle(message);
      } catch (Trouble trouble) { // the same key again: what a lost answer held comes with the next one
        backOff(failures++, trouble);
      } catch (InterruptedException interrupted) {
        // The loop ends.
      }
    }
    finished = true;
  }

  private static Message receive(String key) throws Trouble, InterruptedException {
    String json = "{\"wait_seconds\": " + WAIT_SECONDS + ", \"visibility_timeout_seconds\": " + VISIBILITY_SECONDS + "}";
    HttpResponse<byte[]> answer = call("receive/raw", json, WAIT_SECONDS + 15, key);
    if (answer.statusCode() == 204) return null;
    if (answer.statusCode() == 409) throw new Trouble("409", 0);
    return new Message(
        header(answer, "Willcall-Message-Id"),
        header(answer, "Willcall-Receipt"),
        Integer.parseInt(header(answer, "Willcall-Attempt")),
        answer.body());
  }

  private static void handle(Message message) {
    System.out.println("received " + message.id() + " attempt " + message.attempt());
    long periodMs = VISIBILITY_SECONDS * 1000L / 3;
    ScheduledFuture<?> heartbeat =
        timer.scheduleAtFixedRate(() -> extend(message), periodMs, periodMs, TimeUnit.MILLISECONDS);
    try {
      settle(process(message) ? "acknowledge" : "release", message);
    } finally {
      heartbeat.cancel(false);
    }
  }

  /**
   * Your work. It may see the same message.id() again: make the second time do nothing. False gives the message back because
   * of the shutdown.
   */
  private static boolean process(Message message) {
    try {
      Thread.sleep(WORK_SECONDS * 1000L);
      return true;
    } catch (InterruptedException interrupted) {
      return false;
    }
  }

  /** Acknowledges or releases until the service has said what became of the message. */
  private static void settle(String verb, Message message) {
    for (int failures = 0; failures < 5; failures++) {
      // A signal must not cut off this call: what it interrupts is tried once more.
      Thread.interrupted();
      try {
        String json = "{\"receipts\": [\"" + message.receipt() + "\"]}";
        HttpResponse<byte[]> answer = call(verb, json, 15, null);
        Matcher found = OUTCOME.matcher(new String(answer.body(), StandardCharsets.UTF_8));
        String outcome = found.find() ? found.group(1) : "unknown";
        // What is not ours any more, somebody else has, or has signed for.
        if (outcome.equals(verb + "d")) System.out.println(outcome + " " + message.id());
        else System.err.println("not settled " + message.id() + ": " + outcome);
        return;
      } catch (Trouble trouble) {
        backOff(failures, trouble);
      } catch (InterruptedException interrupted) {
        // Once more.
      }
    }
    System.err.println("not settled " + message.id() + ": the service stays away, the message comes again");
  }

  /** Moves the visibility timeout on. A failed try has two more chances before the time is over. */
  private static void extend(Message message) {
    try {
      String json =
          "{\"receipts\": [\"" + message.receipt() + "\"], \"visibility_timeout_seconds\": " + VISIBILITY_SECONDS + "}";
      call("extend", json, 5, null);
    } catch (Trouble | InterruptedException trouble) {
      System.err.println("not extended: " + trouble.getMessage());
    }
  }

  /** The answer with a status that says something: 200, 204, or 409 (none of the receipts is good, the results say why). */
  private static HttpResponse<byte[]> call(String path, String json, int timeoutSeconds, String key)
      throws Trouble, InterruptedException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(BASE + path))
            .timeout(Duration.ofSeconds(timeoutSeconds))
            .header("Authorization", "Bearer " + KEY)
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(json));
    if (key != null) request.header("Idempotency-Key", key);
    HttpResponse<byte[]> answer;
    try {
      answer = http.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
    } catch (IOException error) {
      throw new Trouble(String.valueOf(error), 0);
    }
    int status = answer.statusCode();
    if (status == 200 || status == 204 || status == 409) return answer;
    if (status == 408 || status == 429 || status >= 500) {
      String asked = answer.headers().firstValue("Retry-After").orElse("");
      throw new Trouble(String.valueOf(status), asked.matches("\\d{1,4}") ? Integer.parseInt(asked) : 0);
    }
    System.err.println(status + ": " + new String(answer.body(), StandardCharsets.UTF_8));
    Runtime.getRuntime().halt(1); // trying again cannot help
    throw new IllegalStateException();
  }

  private static void backOff(int failures, Trouble trouble) {
    long longest = 250L << Math.min(failures, 7);
    long delayMs = ThreadLocalRandom.current().nextLong(longest / 2, longest + 1);
    if (trouble.retryAfterSeconds * 1000L > delayMs) {
      delayMs = trouble.retryAfterSeconds * 1000L + ThreadLocalRandom.current().nextLong(250);
    }
    System.err.println(trouble.getMessage() + ": trying again in " + delayMs + " ms");
    try {
      Thread.sleep(delayMs);
    } catch (InterruptedException interrupted) {
      // The shutdown does not wait.
    }
  }

  private static String header(HttpResponse<?> answer, String name) throws Trouble {
    return answer.headers().firstValue(name).orElseThrow(() -> new Trouble("no " + name + ": is it Willcall's?", 0));
  }

  private static String setting(String name, String otherwise) {
    String value = System.getenv(name);
    if (value != null && !value.isEmpty()) return value;
    if (otherwise == null) throw new IllegalArgumentException(name + " is not set");
    return otherwise;
  }
}
