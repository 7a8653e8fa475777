package dev.exit137.nativetest;

import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** Runs test classes within a node without Maven, and prints one line for each test: {@code ok NAME}. */
final class InBed {
    static final String OK = "ok ";
    static final String FAILED = "failed ";

    private InBed() {}

    public static void main(String[] classes) {
        var request = LauncherDiscoveryRequestBuilder.request();
        for (String name : classes) {
            request.selectors(DiscoverySelectors.selectClass(name));
        }
        LauncherFactory.create().execute(request.build(), new TestExecutionListener() {
            @Override
            public void executionFinished(TestIdentifier test, TestExecutionResult result) {
                String failure = result.getThrowable()
                        .map(thrown -> ": " + thrown.toString().replace('\n', ' '))
                        .orElse("");
                if (test.isTest() || !failure.isEmpty()) {
                    System.out.println((failure.isEmpty() ? OK : FAILED) + test.getDisplayName() + failure);
                }
            }
        });
        // A thread of a library must not keep the node up.
        System.exit(0);
    }
}
